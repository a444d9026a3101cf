"""Least-squares factorisation: block updates, starts, and fits in memory, streamed and online."""
