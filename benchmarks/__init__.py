"""Throughput of the loader, side by side with the limit of the server behind it and with other loaders."""
