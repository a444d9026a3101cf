"""Least squares and leading directions without signs."""
