-- The post-load hook: lands what the loader staged. Runs for every batch inside its transaction; files with smaller numbers run before it (the batch
-- is in bronze_stage and bronze_verdict), files with greater ones after it (what it did is in bronze_landed).
SELECT bronze.land();
