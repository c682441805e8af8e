-- bronze.reconciliations: comparisons of a source, read again from its beginning, with what is here. Written by `bronze reconcile`.
CREATE TABLE IF NOT EXISTS bronze.reconciliations (
    id bigint GENERATED ALWAYS AS IDENTITY,
    source text NOT NULL,
    stream text,
    first_day date,
    last_day date,
    started_at timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
    ended_at timestamp,
    read_count bigint NOT NULL DEFAULT 0,
    rejected_count bigint NOT NULL DEFAULT 0,
    repair_exit_code integer,
    CONSTRAINT reconciliation_id_is_unique PRIMARY KEY (id)
);
COMMENT ON TABLE bronze.reconciliations IS 'Comparisons of a source with what is here, one row each.';
COMMENT ON COLUMN bronze.reconciliations.id IS 'Number of the comparison.';
COMMENT ON COLUMN bronze.reconciliations.source IS 'Source.';
COMMENT ON COLUMN bronze.reconciliations.stream IS 'Stream, where only one was compared.';
COMMENT ON COLUMN bronze.reconciliations.first_day IS 'First day (UTC) of the events that were compared; empty: from the beginning.';
COMMENT ON COLUMN bronze.reconciliations.last_day IS 'Last day of them; empty: to the end.';
COMMENT ON COLUMN bronze.reconciliations.started_at IS 'Start (UTC).';
COMMENT ON COLUMN bronze.reconciliations.ended_at IS 'End (UTC); empty where the source could not be read to its end.';
COMMENT ON COLUMN bronze.reconciliations.read_count IS 'Records that the source gave.';
COMMENT ON COLUMN bronze.reconciliations.rejected_count IS 'Lines that could not be compared.';
COMMENT ON COLUMN bronze.reconciliations.repair_exit_code IS 'Exit code of the run that landed what was missing, where one was asked for.';

CREATE TABLE IF NOT EXISTS bronze.differences (
    reconciliation_id bigint NOT NULL,
    stream text NOT NULL,
    account text NOT NULL,
    raw_id text COLLATE "C" NOT NULL,
    verdict text NOT NULL,
    CONSTRAINT difference_is_listed_once PRIMARY KEY (reconciliation_id, stream, account, raw_id),
    CONSTRAINT difference_belongs_to_a_reconciliation FOREIGN KEY (reconciliation_id) REFERENCES bronze.reconciliations (id),
    CONSTRAINT verdict_is_missing_differing_or_gone CHECK (verdict IN ('missing', 'differing', 'gone'))
);
COMMENT ON TABLE bronze.differences IS 'Records in which a source and what is here differed.';
COMMENT ON COLUMN bronze.differences.reconciliation_id IS 'Comparison that found it.';
COMMENT ON COLUMN bronze.differences.stream IS 'Stream.';
COMMENT ON COLUMN bronze.differences.account IS 'Account at the source, or empty.';
COMMENT ON COLUMN bronze.differences.raw_id IS 'The record''s key, as in bronze_<source>.raw_id.';
COMMENT ON COLUMN bronze.differences.verdict IS 'missing: there, but not here; differing: here with other content; gone: here, but not there any more.';

-- bronze.compare: compares bronze_incoming with the heads by the rule of bronze.judge, keeps what differs, and gives the ord of it.
-- names: {"<stream_id>": [stream, account]}; a stream that is not known here has a number below 0. left_out: ord of records outside the days that
-- are compared, which count as seen and no more.
CREATE OR REPLACE FUNCTION bronze.compare(reconciliation bigint, names jsonb, left_out bigint[]) RETURNS bigint[]
LANGUAGE plpgsql
AS $$
DECLARE
    news bigint[];
BEGIN
    PERFORM bronze.judge(r.source, ARRAY(SELECT n.key::integer FROM jsonb_each(names) AS n))
    FROM bronze.reconciliations AS r
    WHERE r.id = reconciliation;
    DELETE FROM bronze_verdict AS v WHERE v.ord = ANY(left_out);

    INSERT INTO bronze.differences (reconciliation_id, stream, account, raw_id, verdict)
    SELECT
        reconciliation,
        names -> v.stream_id::text ->> 0,
        names -> v.stream_id::text ->> 1,
        v.raw_id,
        CASE v.change WHEN 'new' THEN 'missing' ELSE 'differing' END
    FROM bronze_verdict AS v
    ON CONFLICT DO NOTHING;
    SELECT coalesce(array_agg(v.ord), '{}') INTO news FROM bronze_verdict AS v;
    RETURN news;
END
$$;
COMMENT ON FUNCTION bronze.compare(bigint, jsonb, bigint[]) IS 'Compares a batch of records with what is here; lands nothing.';

-- bronze.compare_absent: the records of the streams that were read which are here and were not seen there (bronze_seen).
CREATE OR REPLACE FUNCTION bronze.compare_absent(reconciliation bigint, stream_ids integer[]) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO bronze.differences (reconciliation_id, stream, account, raw_id, verdict)
    SELECT r.id, s.stream, s.account, h.raw_id, 'gone'
    FROM bronze.reconciliations AS r
    INNER JOIN bronze.streams AS s ON s.source = r.source AND s.id = ANY(stream_ids)
    INNER JOIN bronze.heads AS h ON h.stream_id = s.id
    WHERE
        r.id = reconciliation AND NOT h.gone
        AND (r.first_day IS NULL OR h.partition_key >= r.first_day)
        AND (r.last_day IS NULL OR h.partition_key <= r.last_day)
        AND NOT EXISTS (SELECT FROM bronze_seen AS n WHERE n.stream_id = h.stream_id AND n.raw_id = h.raw_id)
    ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION bronze.compare_absent(bigint, integer[]) IS 'Notes the records that are here and were not seen at the source.';
