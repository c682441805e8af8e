"""``python -m tap_toggl``: the same as the command ``tap-toggl``."""

from tap_toggl.tap import TapToggl

TapToggl.cli()
