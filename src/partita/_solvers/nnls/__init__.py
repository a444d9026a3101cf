"""Least squares under non-negativity, exactly."""
