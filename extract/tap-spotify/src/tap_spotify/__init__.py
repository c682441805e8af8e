"""Singer tap for what was played on Spotify: the privacy exports and the Web API."""
