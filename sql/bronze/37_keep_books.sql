-- bronze.keep_books: what a transaction adds to the books of its run: figures that the loader counted (an array of objects named like the columns of
-- bronze.run_streams), what bronze.land did, and the dead letters in bronze_rejected. unit numbers the run's transactions: a loader whose
-- connection broke during a commit sees by it whether that one went through.
CREATE OR REPLACE FUNCTION bronze.keep_books(run text, unit integer, counted jsonb) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    source_name text;
BEGIN
    UPDATE bronze.runs SET units = unit WHERE run_id = run AND units = unit - 1 RETURNING source INTO source_name;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the books of run % do not continue with transaction %', run, unit USING ERRCODE = 'data_corrupted',
        HINT = 'Another loader writes under the same run id. Run again.';
    END IF;

    INSERT INTO bronze.dead_letters AS d (
        source, stream, category, reason, original, original_hash, first_run_id, last_run_id, position, seen_count
    )
    SELECT source_name, r.stream, min(r.category), min(r.reason), r.original, sha256(r.original), run, run, max(r.position), count(*)
    FROM bronze_rejected AS r
    GROUP BY r.stream, r.original
    ORDER BY min(r.position)
    ON CONFLICT (source, stream, original_hash) DO UPDATE
    SET category = excluded.category,
        reason = excluded.reason,
        last_run_id = run,
        position = excluded.position,
        seen_count = d.seen_count + excluded.seen_count,
        last_seen_at = excluded.last_seen_at,
        -- replayed once and refused anew: it is open again. Given up stays so, and what a tap cannot read comes again as it was
        status = CASE WHEN d.status = 'replayed' AND excluded.category <> 'source' THEN 'open' ELSE d.status END,
        resolved_at = CASE WHEN d.status = 'replayed' AND excluded.category <> 'source' THEN NULL ELSE d.resolved_at END,
        resolution = CASE WHEN d.status = 'replayed' AND excluded.category <> 'source' THEN NULL ELSE d.resolution END;

    WITH added AS (
        SELECT
            n.stream,
            coalesce(n.read_count, 0) AS read_count,
            0 AS new_count,
            0 AS changed_count,
            coalesce(n.known_count, 0) AS known_count,
            coalesce(n.rejected_count, 0) AS rejected_count,
            0 AS gone_count,
            0 AS invalid_count
        FROM jsonb_to_recordset(counted) AS n (stream text, read_count bigint, known_count bigint, rejected_count bigint)
        UNION ALL
        SELECT
            c.stream,
            0,
            CASE WHEN l.change = 'new' THEN l.record_count ELSE 0 END,
            CASE WHEN l.change IN ('changed', 'back', 'degraded') THEN l.record_count ELSE 0 END,
            0,
            0,
            CASE WHEN l.change = 'gone' THEN l.record_count ELSE 0 END,
            CASE WHEN l.change = 'gone' THEN 0 ELSE l.invalid_count END
        FROM bronze_landed AS l
        INNER JOIN bronze.streams AS c ON c.id = l.stream_id
    ),

    by_stream AS (
        INSERT INTO bronze.run_streams AS b (
            run_id, stream, read_count, new_count, changed_count, known_count, rejected_count, gone_count, invalid_count
        )
        SELECT
            run, a.stream, sum(a.read_count), sum(a.new_count), sum(a.changed_count), sum(a.known_count), sum(a.rejected_count),
            sum(a.gone_count), sum(a.invalid_count)
        FROM added AS a
        GROUP BY a.stream
        ON CONFLICT (run_id, stream) DO UPDATE
        SET read_count = b.read_count + excluded.read_count,
            new_count = b.new_count + excluded.new_count,
            changed_count = b.changed_count + excluded.changed_count,
            known_count = b.known_count + excluded.known_count,
            rejected_count = b.rejected_count + excluded.rejected_count,
            gone_count = b.gone_count + excluded.gone_count,
            invalid_count = b.invalid_count + excluded.invalid_count
    )

    UPDATE bronze.runs AS r
    SET read_count = r.read_count + t.read_count,
        new_count = r.new_count + t.new_count,
        changed_count = r.changed_count + t.changed_count,
        known_count = r.known_count + t.known_count,
        rejected_count = r.rejected_count + t.rejected_count,
        gone_count = r.gone_count + t.gone_count,
        invalid_count = r.invalid_count + t.invalid_count
    FROM (
        SELECT
            coalesce(sum(a.read_count), 0) AS read_count,
            coalesce(sum(a.new_count), 0) AS new_count,
            coalesce(sum(a.changed_count), 0) AS changed_count,
            coalesce(sum(a.known_count), 0) AS known_count,
            coalesce(sum(a.rejected_count), 0) AS rejected_count,
            coalesce(sum(a.gone_count), 0) AS gone_count,
            coalesce(sum(a.invalid_count), 0) AS invalid_count
        FROM added AS a
    ) AS t
    WHERE r.run_id = run;
END
$$;
COMMENT ON FUNCTION bronze.keep_books(text, integer, jsonb) IS 'Adds a transaction''s figures and dead letters to the books of its run.';
