"""Loads a Singer file with dlt: records as an Arrow table, written through ADBC. Runs in dlt's own environment."""

import io
import json
import os
import sys
import tempfile

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"

import dlt
import pyarrow.json


def main() -> None:
    """Load the file named second into the database named first."""
    url, path = sys.argv[1:3]
    lines = io.BytesIO()
    with open(path, "rb") as messages:  # noqa: PTH123 - a script for another environment
        for line in messages:
            message = json.loads(line)
            if message["type"] == "RECORD":
                lines.write(json.dumps(message["record"]).encode() + b"\n")
    lines.seek(0)
    table = pyarrow.json.read_json(lines, read_options=pyarrow.json.ReadOptions(block_size=1 << 24))
    nested = [
        name
        for name, kind in zip(table.schema.names, table.schema.types, strict=True)
        if str(kind).startswith(("list", "struct"))
    ]
    for name in nested:
        column = pyarrow.array([json.dumps(value) for value in table.column(name).to_pylist()])
        table = table.set_column(table.schema.get_field_index(name), name, column)
    with tempfile.TemporaryDirectory() as folder:
        pipeline = dlt.pipeline(
            "benchmark",
            pipelines_dir=folder,
            destination=dlt.destinations.postgres(url),
            dataset_name="benchmark",
        )
        pipeline.run(table, table_name="records", write_disposition="append", loader_file_format="parquet")


if __name__ == "__main__":
    main()
