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
            ELSE TRUE
        END;

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
