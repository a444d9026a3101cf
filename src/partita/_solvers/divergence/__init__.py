"""Factorisation and signals under the beta-divergences and entrywise weights."""
