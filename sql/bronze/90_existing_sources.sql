-- Brings the tables of all sources up to date with the files above: columns, triggers and views that they have gained since; and says again what
-- the schemas say of them. A table that was dropped by hand is reported by the source's next run.
SELECT bronze.create_source(s.source)
FROM bronze.sources AS s
WHERE to_regclass(format('public.%I', 'bronze_' || s.source)) IS NOT NULL;
SELECT bronze.describe_source(s.source)
FROM bronze.sources AS s
WHERE to_regclass(format('public.%I', 'bronze_' || s.source)) IS NOT NULL;
