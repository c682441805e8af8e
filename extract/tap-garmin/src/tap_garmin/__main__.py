"""``python -m tap_garmin``: the same as the command ``tap-garmin``."""

from tap_garmin.tap import TapGarmin

TapGarmin.cli()
