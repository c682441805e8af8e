"""Singer tap for Toggl Track: the whole account, for ever."""
