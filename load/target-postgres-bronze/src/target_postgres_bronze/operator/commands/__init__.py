"""One module per command: ``dead_letters.py`` with its ``command`` becomes ``bronze dead-letters``."""
