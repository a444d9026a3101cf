"""NIfTI files with their BIDS sidecars to recordings, and back."""
