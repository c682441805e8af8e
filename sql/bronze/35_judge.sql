-- bronze.postpone_repeated: takes out of bronze_verdict the records with a content that they had before, if the run that brought their current
-- content brought this one too: the source holds the key twice, and the current content will come again in a later batch. If it does
-- not, bronze.land_repeated lands it.
CREATE OR REPLACE FUNCTION bronze.postpone_repeated(source_name text) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    EXECUTE format(
        'WITH repeated AS (
            SELECT DISTINCT ON (v.ord) v.ord, v.stream_id, v.raw_id, v.content_hash, f.partition_key, f.row_id
            FROM bronze_verdict AS v
            INNER JOIN bronze_incoming AS i ON i.ord = v.ord
            INNER JOIN bronze.heads AS h ON h.stream_id = v.stream_id AND h.raw_id = v.raw_id
            INNER JOIN bronze.former_versions AS f ON f.stream_id = v.stream_id AND f.raw_id = v.raw_id AND f.content_hash = v.content_hash
            INNER JOIN public.%1$I AS former ON former.id = f.row_id AND former.partition_key = f.partition_key
            INNER JOIN public.%1$I AS current ON current.id = h.row_id AND current.partition_key = h.partition_key
            WHERE v.change = ''changed'' AND (i.ordering > h.ordering) IS NOT TRUE
                AND former.pipeline_run_id = current.pipeline_run_id
                AND current.pipeline_run_id <> current_setting(''bronze.run_id'')
            ORDER BY v.ord, f.version DESC
        ),

        postponed AS (
            INSERT INTO bronze_repeated (stream_id, raw_id, content_hash, partition_key, row_id)
            SELECT r.stream_id, r.raw_id, r.content_hash, r.partition_key, r.row_id FROM repeated AS r
        )

        DELETE FROM bronze_verdict AS v USING repeated AS r WHERE v.ord = r.ord',
        'bronze_' || source_name
    );
END
$$;
COMMENT ON FUNCTION bronze.postpone_repeated(text) IS 'Sets aside what repeats an earlier content of the run that brought the current one.';

-- bronze.judge: what each record in bronze_incoming is: known, or a version to append. Fills bronze_verdict with the latter and gives their ord.
-- Holds the source's lock until the transaction ends, so that two loaders of one source take turns.
CREATE OR REPLACE FUNCTION bronze.judge(source_name text, watched integer[]) RETURNS bigint[]
LANGUAGE plpgsql
-- bronze_incoming has no statistics; each record's head is one look-up in the primary key
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_seqscan = off
AS $$
DECLARE
    row_ids constant regclass := pg_get_serial_sequence(format('public.%I', 'bronze_' || source_name), 'id');
    news bigint[];
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('bronze landing ' || source_name, 0));

    INSERT INTO bronze_verdict
    SELECT
        i.ord,
        i.stream_id,
        i.raw_id,
        i.content_hash,
        i.ordering,
        CASE WHEN h.raw_id IS NULL THEN 'new' WHEN h.gone THEN 'back' WHEN i.degraded THEN 'degraded' ELSE 'changed' END,
        coalesce(h.version, 0) + 1,
        i.degraded AND h.raw_id IS NOT NULL,
        nextval(row_ids),
        h.current_version,
        h.content_hash,
        h.partition_key,
        h.row_id,
        h.version
    FROM bronze_incoming AS i
    LEFT JOIN bronze.heads AS h ON h.stream_id = i.stream_id AND h.raw_id = i.raw_id
    WHERE
        CASE
            WHEN h.raw_id IS NULL THEN TRUE
            -- identified by its content: it cannot have changed
            WHEN i.keyless THEN h.gone AND NOT i.degraded
            WHEN i.content_hash = h.content_hash THEN h.gone AND NOT i.degraded AND NOT coalesce(i.ordering < h.ordering, FALSE)
            WHEN i.degraded AND i.content_hash = h.degraded_hash THEN FALSE
            -- a tap that repeats its last stretch sends older versions again
            WHEN i.ordering < h.ordering THEN NOT EXISTS (
                SELECT FROM bronze.former_versions AS f
                WHERE f.stream_id = i.stream_id AND f.raw_id = i.raw_id AND f.content_hash = i.content_hash
            )
            -- the last content of a key counts: one before it is news only if the record never had it
            WHEN i.superseded AND NOT i.degraded AND (i.ordering > h.ordering) IS NOT TRUE THEN NOT EXISTS (
                SELECT FROM bronze.former_versions AS f
                WHERE f.stream_id = i.stream_id AND f.raw_id = i.raw_id AND f.content_hash = i.content_hash
            )
            ELSE TRUE
        END;

    IF EXISTS (SELECT FROM bronze_repeated) THEN
        DELETE FROM bronze_repeated AS n USING bronze_incoming AS i WHERE n.stream_id = i.stream_id AND n.raw_id = i.raw_id;
    END IF;
    IF current_setting('bronze.postpones', TRUE) = 'on' AND EXISTS (
        SELECT FROM bronze_verdict AS v
        INNER JOIN bronze.former_versions AS f ON f.stream_id = v.stream_id AND f.raw_id = v.raw_id AND f.content_hash = v.content_hash
        WHERE v.change = 'changed'
    ) THEN
        PERFORM bronze.postpone_repeated(source_name);
    END IF;

    INSERT INTO bronze_seen (stream_id, raw_id)
    SELECT i.stream_id, i.raw_id FROM bronze_incoming AS i WHERE i.stream_id = ANY(watched)
    ON CONFLICT DO NOTHING;

    SELECT coalesce(array_agg(v.ord), '{}') INTO news FROM bronze_verdict AS v;
    -- a part that was staged before it is judged may hold what is known
    IF (SELECT count(*) FROM bronze_stage) > cardinality(news) THEN
        DELETE FROM bronze_stage AS s WHERE NOT EXISTS (SELECT FROM bronze_verdict AS v WHERE v.ord = s.ord);
    END IF;
    RETURN news;
END
$$;
COMMENT ON FUNCTION bronze.judge(text, integer[]) IS 'Compares bronze_incoming with the heads; fills bronze_verdict and gives the ord of the news.';
