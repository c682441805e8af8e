"""Singer target that lands raw payloads in bronze tables, and the operator command."""
