"""Motion of the tissue: estimated frame by frame, and taken out."""
