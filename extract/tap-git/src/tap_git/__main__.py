"""``python -m tap_git``."""

from tap_git.tap import TapGit

TapGit.cli()
