"""Trials that take minutes, run by hand."""
