"""Value, slope and curvature of each loss."""
