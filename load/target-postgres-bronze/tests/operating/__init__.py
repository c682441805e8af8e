"""Tests of the operator's commands; a package, so that its conftest is told apart from the one above."""
