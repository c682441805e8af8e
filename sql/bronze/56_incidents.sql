-- bronze.incidents: levels that were missed, from the check that found it to the one that found it over. Told to people once each way.
CREATE TABLE IF NOT EXISTS bronze.incidents (
    id bigint GENERATED ALWAYS AS IDENTITY,
    source text NOT NULL,
    level text NOT NULL,
    figure text,
    wanted text,
    opened_at timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
    closed_at timestamp,
    opening_told_at timestamp,
    closing_told_at timestamp,
    CONSTRAINT incident_id_is_unique PRIMARY KEY (id)
);
CREATE UNIQUE INDEX IF NOT EXISTS one_open_incident_per_level ON bronze.incidents (source, level) WHERE closed_at IS NULL;
COMMENT ON TABLE bronze.incidents IS 'Service levels that were missed, with beginning and end.';
COMMENT ON COLUMN bronze.incidents.id IS 'Number of the incident.';
COMMENT ON COLUMN bronze.incidents.source IS 'Source; empty for what concerns the whole database.';
COMMENT ON COLUMN bronze.incidents.level IS 'Which level, as in levels.yml.';
COMMENT ON COLUMN bronze.incidents.figure IS 'What was found when it last was missed.';
COMMENT ON COLUMN bronze.incidents.wanted IS 'What was wanted.';
COMMENT ON COLUMN bronze.incidents.opened_at IS 'When a check first found it missed (UTC).';
COMMENT ON COLUMN bronze.incidents.closed_at IS 'When a check found it over (UTC).';
COMMENT ON COLUMN bronze.incidents.opening_told_at IS 'When somebody was told that it began (UTC).';
COMMENT ON COLUMN bronze.incidents.closing_told_at IS 'When somebody was told that it is over (UTC).';

-- bronze.note_incidents: checks the levels, opens and closes incidents, and gives what nobody was told yet.
CREATE OR REPLACE FUNCTION bronze.note_incidents(settings jsonb) RETURNS SETOF bronze.incidents
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('bronze incidents', 0));
    CREATE TEMPORARY TABLE bronze_checked ON COMMIT DROP AS SELECT * FROM bronze.check_levels(settings);

    UPDATE bronze.incidents AS i
    SET closed_at = now() AT TIME ZONE 'UTC'
    WHERE i.closed_at IS NULL
        AND NOT EXISTS (SELECT FROM bronze_checked AS c WHERE c.source = i.source AND c.level = i.level AND c.outcome = 'missed');

    INSERT INTO bronze.incidents AS i (source, level, figure, wanted)
    SELECT c.source, c.level, c.figure, c.wanted FROM bronze_checked AS c WHERE c.outcome = 'missed'
    ON CONFLICT (source, level) WHERE closed_at IS NULL DO UPDATE SET figure = excluded.figure, wanted = excluded.wanted;

    RETURN QUERY
    SELECT i.*
    FROM bronze.incidents AS i
    -- what was over before anybody was told of it needs no second message
    WHERE (i.closed_at IS NULL AND i.opening_told_at IS NULL)
        OR (i.closed_at IS NOT NULL AND i.opening_told_at IS NOT NULL AND i.closing_told_at IS NULL)
    ORDER BY i.id;
END
$$;
COMMENT ON FUNCTION bronze.note_incidents(jsonb) IS 'Keeps bronze.incidents up to date with the levels, and gives those of which nobody was told yet.';
