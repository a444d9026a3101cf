"""Where labels meet numbers: recordings become matrices here, factors become maps and signals."""
