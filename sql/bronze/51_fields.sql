-- bronze.fields: the fields that each stream's present schema names, with what the source's documentation says of them.
CREATE OR REPLACE VIEW bronze.fields AS
SELECT
    s.source,
    s.stream,
    f.key AS field,
    coalesce(f.value -> 'type', f.value -> 'anyOf', f.value -> 'oneOf', f.value -> '$ref') AS type,
    f.value ->> 'format' AS format,
    f.value ->> 'description' AS description,
    f.key = any(s.key_properties) AS is_key
FROM (
    SELECT DISTINCT ON (c.source, c.stream)
        c.source,
        c.stream,
        c.key_properties,
        c.json_schema
    FROM bronze.schemas AS c
    ORDER BY c.source ASC, c.stream ASC, c.last_seen_at DESC, c.first_seen_at DESC
) AS s
CROSS JOIN LATERAL jsonb_each(CASE jsonb_typeof(s.json_schema -> 'properties') WHEN 'object' THEN s.json_schema -> 'properties' ELSE '{}' END) AS f;
COMMENT ON VIEW bronze.fields IS 'Fields of raw_data as the schemas declare them: type, format, description.';

-- bronze.schema_changes: what each schema of a stream changed against the one before it.
CREATE OR REPLACE VIEW bronze.schema_changes AS
WITH ordered AS (
    SELECT
        c.source,
        c.stream,
        c.first_seen_at,
        coalesce(c.json_schema -> 'properties', '{}') AS fields,
        lag(coalesce(c.json_schema -> 'properties', '{}')) OVER (PARTITION BY c.source, c.stream ORDER BY c.first_seen_at, c.schema_hash) AS former
    FROM bronze.schemas AS c
    WHERE jsonb_typeof(c.json_schema -> 'properties') = 'object'
)

SELECT
    o.source,
    o.stream,
    o.first_seen_at AS changed_at,
    d.field,
    d.change,
    d.former_type,
    d.type
FROM ordered AS o
CROSS JOIN
    LATERAL (
        SELECT
            coalesce(n.key, f.key) AS field,
            CASE WHEN f.key IS NULL THEN 'new' WHEN n.key IS NULL THEN 'vanished' ELSE 'retyped' END AS change,
            f.value -> 'type' AS former_type,
            n.value -> 'type' AS type
        FROM jsonb_each(o.fields) AS n
        FULL JOIN jsonb_each(o.former) AS f ON n.key = f.key
        WHERE n.key IS NULL OR f.key IS NULL OR n.value -> 'type' IS DISTINCT FROM f.value -> 'type'
    ) AS d
WHERE o.former IS NOT NULL;
COMMENT ON VIEW bronze.schema_changes IS 'Fields that became new, vanished or got another type, with the moment when that schema first came (UTC).';
