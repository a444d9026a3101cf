"""From raw fluorescence to its relative change over a baseline."""
