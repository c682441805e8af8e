"""Singer tap for the export of Apple's Health app: every element and attribute, as the phone wrote it."""
