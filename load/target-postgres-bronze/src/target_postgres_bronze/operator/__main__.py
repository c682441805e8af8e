"""``python -m target_postgres_bronze.operator``."""

from target_postgres_bronze.operator.cli import main

main()
