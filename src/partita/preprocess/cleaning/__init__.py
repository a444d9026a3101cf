"""Noise taken out of a recording: drifts, confounds, spoilt frames, frequencies."""
