"""``python -m tap_apple_health``."""

from tap_apple_health.tap import TapAppleHealth

if __name__ == "__main__":
    TapAppleHealth.cli()
