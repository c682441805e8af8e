-- bronze.coverage: how many records there are of each month, from a stream's first month to its last; 0 is a gap. Looks at every head once:
-- seconds for millions of records.
CREATE OR REPLACE VIEW bronze.coverage AS
WITH days AS (
    SELECT
        h.stream_id,
        h.partition_key,
        count(*) AS record_count
    FROM bronze.heads AS h
    WHERE NOT h.gone
    GROUP BY h.stream_id, h.partition_key
),

-- the month of each day, not of each record
counted AS (
    SELECT
        d.stream_id,
        date_trunc('month', d.partition_key)::date AS month,
        sum(d.record_count)::bigint AS record_count
    FROM days AS d
    GROUP BY d.stream_id, date_trunc('month', d.partition_key)
),

spans AS (
    SELECT
        c.stream_id,
        min(c.month) AS first_month,
        max(c.month) AS last_month
    FROM counted AS c
    GROUP BY c.stream_id
)

SELECT
    s.source,
    s.stream,
    s.account,
    m.month::date AS month,
    coalesce(c.record_count, 0) AS record_count
FROM spans AS p
INNER JOIN bronze.streams AS s ON p.stream_id = s.id
CROSS JOIN LATERAL generate_series(p.first_month::timestamp, p.last_month, interval '1 month') AS m (month)
LEFT JOIN counted AS c ON p.stream_id = c.stream_id AND c.month = m.month::date;
COMMENT ON VIEW bronze.coverage IS 'Records by month of their event (without one: of their landing), months without any included.';

-- bronze.gaps: the stretches of months without a record.
CREATE OR REPLACE VIEW bronze.gaps AS
SELECT
    c.source,
    c.stream,
    c.account,
    min(c.month) AS first_month,
    max(c.month) AS last_month,
    count(*) AS month_count
FROM (
    SELECT
        e.*,
        e.month - (interval '1 month' * row_number() OVER (PARTITION BY e.source, e.stream, e.account ORDER BY e.month)) AS stretch
    FROM bronze.coverage AS e
    WHERE e.record_count = 0
) AS c
GROUP BY c.source, c.stream, c.account, c.stretch;
COMMENT ON VIEW bronze.gaps IS 'Stretches of whole months, between a stream''s first and last, in which it has no record.';
