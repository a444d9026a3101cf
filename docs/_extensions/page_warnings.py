"""A page of the gallery fails where its reader would see a warning."""

from __future__ import annotations

import warnings


def make_errors(gallery_conf, fname, when):
    """Turn what Python shows by default into errors while a page runs."""
    for category in (FutureWarning, RuntimeWarning, UserWarning):
        warnings.simplefilter("error" if when == "before" else "default", category)
