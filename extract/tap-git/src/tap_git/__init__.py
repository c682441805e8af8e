"""Singer tap for a person's own commits in local Git repositories."""
