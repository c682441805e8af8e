-- Brings the tables of all sources up to date with the files above: columns, triggers and views that they have gained since.
SELECT bronze.create_source(source) FROM bronze.sources;
