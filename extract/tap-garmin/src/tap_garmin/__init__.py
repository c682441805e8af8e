"""Singer tap for Garmin: Connect, account exports and FIT files."""
