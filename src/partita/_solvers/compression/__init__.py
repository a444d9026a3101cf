"""A smaller stand-in for X."""
