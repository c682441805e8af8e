"""``python -m tap_spotify``."""

from tap_spotify.tap import TapSpotify

TapSpotify.cli()
