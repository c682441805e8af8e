"""What `./bronze` does before anything is installed: the standard library alone."""
