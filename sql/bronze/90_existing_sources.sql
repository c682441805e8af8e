-- Brings the tables of all sources up to date with the files above: columns, triggers and views that they have gained since; and says again what
-- the schemas say of them.
SELECT bronze.create_source(source) FROM bronze.sources;
SELECT bronze.describe_source(source) FROM bronze.sources;
