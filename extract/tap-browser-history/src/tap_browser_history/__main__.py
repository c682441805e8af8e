"""``python -m tap_browser_history``."""

from tap_browser_history.tap import TapBrowserHistory

TapBrowserHistory.cli()
