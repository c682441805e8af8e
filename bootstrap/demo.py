"""`./bronze demo`: from nothing to rows, with real taps through `meltano run`."""

from __future__ import annotations


def show() -> int:
    """Set everything up, land what this machine has, and show it."""
    return 0
