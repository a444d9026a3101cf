"""Motion of frames: rigid, by translation, or piecewise; templates and resampling."""
