-- bronze.sizes: what each source takes on the disk, and how much came each month. Read by `bronze catalog`, `bronze maintain` and `bronze metrics`.
CREATE OR REPLACE VIEW bronze.sizes AS
SELECT
    s.source,
    count(t.inhrelid) AS partition_count,
    coalesce(sum(pg_table_size(t.inhrelid)), 0)::bigint AS table_bytes,
    coalesce(sum(pg_indexes_size(t.inhrelid)), 0)::bigint AS index_bytes
FROM bronze.sources AS s
-- pg_partition_tree would lock every partition of every source until the transaction ends
LEFT JOIN pg_inherits AS t ON t.inhparent = to_regclass(format('public.%I', 'bronze_' || s.source))
GROUP BY s.source;
COMMENT ON VIEW bronze.sizes IS 'Per source: number of monthly partitions, bytes of rows and bytes of indexes.';

CREATE OR REPLACE VIEW bronze.growth AS
SELECT
    r.source,
    date_trunc('month', r.started_at)::date AS month,
    count(*) AS run_count,
    sum(r.read_count)::bigint AS read_count,
    sum(r.new_count + r.changed_count + r.gone_count)::bigint AS row_count
FROM bronze.runs AS r
GROUP BY r.source, date_trunc('month', r.started_at);
COMMENT ON VIEW bronze.growth IS 'Per source and month of landing: runs, records read, and rows appended.';
