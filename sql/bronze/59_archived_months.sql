-- bronze.archived_months: partitions that were put into compressed files and taken out of the database. Written by `bronze archive-month`.
CREATE TABLE IF NOT EXISTS bronze.archived_months (
    id bigint GENERATED ALWAYS AS IDENTITY,
    source text NOT NULL,
    month date NOT NULL,
    file text NOT NULL,
    file_hash text NOT NULL,
    columns text[] NOT NULL,
    row_count bigint NOT NULL,
    digest text NOT NULL,
    archived_at timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
    attached_at timestamp,
    CONSTRAINT archived_month_id_is_unique PRIMARY KEY (id),
    CONSTRAINT archived_month_begins_on_its_first_day CHECK (extract(DAY FROM month) = 1)
);
COMMENT ON TABLE bronze.archived_months IS 'Months of a source that lie in files. Their heads stay, so that records are still known; their rows are not shown.';
COMMENT ON COLUMN bronze.archived_months.id IS 'Number of the file.';
COMMENT ON COLUMN bronze.archived_months.source IS 'Source.';
COMMENT ON COLUMN bronze.archived_months.month IS 'First day of the month.';
COMMENT ON COLUMN bronze.archived_months.file IS 'The file, relative to the archive folder: CSV with a header, zstd-compressed.';
COMMENT ON COLUMN bronze.archived_months.file_hash IS 'SHA-256 of the file, hexadecimal.';
COMMENT ON COLUMN bronze.archived_months.columns IS 'Its columns, in their order.';
COMMENT ON COLUMN bronze.archived_months.row_count IS 'Its rows.';
COMMENT ON COLUMN bronze.archived_months.digest IS 'bronze.relation_digest over them.';
COMMENT ON COLUMN bronze.archived_months.archived_at IS 'When they were taken out of the database (UTC).';
COMMENT ON COLUMN bronze.archived_months.attached_at IS 'When they were put back (UTC); empty while they are out.';

-- bronze.relation_digest: number of rows, and a digest over some columns of all rows that does not depend on their order, nor on a server's settings.
CREATE OR REPLACE FUNCTION bronze.relation_digest(relation regclass, columns text[]) RETURNS TABLE (row_count bigint, digest text)
LANGUAGE plpgsql
STABLE
SET datestyle = 'ISO'
SET intervalstyle = 'postgres'
SET extra_float_digits = 1
SET bytea_output = 'hex'
AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT count(*), to_hex(coalesce(bit_xor(hashtextextended(row(%s)::text, 0)), 0)) FROM %s',
        (SELECT string_agg(quote_ident(n.name), ', ' ORDER BY n.place) FROM unnest(columns) WITH ORDINALITY AS n (name, place)), relation
    );
END
$$;
COMMENT ON FUNCTION bronze.relation_digest(regclass, text[]) IS 'Number of rows of a table, and a digest over the named columns.';

-- bronze.detach_month: takes a source's month out of the database, provided that its rows are the ones whose digest is given: those in the file.
CREATE OR REPLACE FUNCTION bronze.detach_month(
    source_name text, first_day date, file_name text, hash text, column_names text[], rows_in_file bigint, digest_of_file text
) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    table_name constant text := 'bronze_' || source_name;
    partition_name constant text := table_name || to_char(first_day, '"_y"YYYY"m"MM');
    found record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('bronze landing ' || source_name, 0));
    SELECT * INTO found FROM bronze.relation_digest(format('public.%I', partition_name)::regclass, column_names);
    IF found.row_count <> rows_in_file OR found.digest <> digest_of_file THEN
        RAISE EXCEPTION 'the file does not hold the rows of %', partition_name
            USING ERRCODE = 'data_corrupted', HINT = 'Archive the month again; nothing was taken out.';
    END IF;
    EXECUTE format('ALTER TABLE public.%I DETACH PARTITION public.%I', table_name, partition_name);
    EXECUTE format('DROP TABLE public.%I', partition_name);
    INSERT INTO bronze.archived_months (source, month, file, file_hash, columns, row_count, digest)
    VALUES (source_name, first_day, file_name, hash, column_names, rows_in_file, digest_of_file);
END
$$;
COMMENT ON FUNCTION bronze.detach_month(text, date, text, text, text[], bigint, text) IS 'Takes a month out of the database whose rows are in a verified file.';

-- bronze.attach_month: puts the rows of an archived month back from a temporary table bronze_month, provided that they are the ones that were taken out.
CREATE OR REPLACE FUNCTION bronze.attach_month(archived bigint) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    entry bronze.archived_months;
    found record;
    names text;
BEGIN
    UPDATE bronze.archived_months SET attached_at = now() AT TIME ZONE 'UTC' WHERE id = archived AND attached_at IS NULL RETURNING * INTO STRICT entry;
    SELECT * INTO found FROM bronze.relation_digest('bronze_month'::regclass, entry.columns);
    IF found.row_count <> entry.row_count OR found.digest <> entry.digest THEN
        RAISE EXCEPTION 'the file % does not hold the rows that were taken out', entry.file
            USING ERRCODE = 'data_corrupted', HINT = 'Take the file from a backup.';
    END IF;
    PERFORM public.create_partition_if_not_exists(entry.source, entry.month);
    SELECT string_agg(quote_ident(n.name), ', ' ORDER BY n.place) INTO names FROM unnest(entry.columns) WITH ORDINALITY AS n (name, place);
    EXECUTE format(
        'INSERT INTO public.%I (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM bronze_month', 'bronze_' || entry.source, names, names
    );
END
$$;
COMMENT ON FUNCTION bronze.attach_month(bigint) IS 'Puts an archived month back from the temporary table bronze_month.';
