"""What the taps of this project share: raw streams with provenance."""
