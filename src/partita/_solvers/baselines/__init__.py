"""Baselines of fluorescence: running minima, quantiles and means."""
