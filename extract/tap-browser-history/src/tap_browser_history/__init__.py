"""Singer tap for the history that the browsers of this machine keep."""
