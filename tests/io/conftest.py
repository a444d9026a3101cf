"""Small movies of known values."""

from __future__ import annotations

import re

import numpy as np
import pytest

import partita


@pytest.fixture
def frames():
    """Return counts of photons, (time, y, x), each frame different."""
    return np.random.default_rng(0).poisson(400, (12, 8, 6)).astype(np.uint16)


@pytest.fixture
def load_numbered():
    """Return load, told that a file says no frame rate."""

    def load(path, **options):
        with pytest.warns(UserWarning, match="nothing says the frame rate"):
            return partita.load(path, **options)

    return load


@pytest.fixture
def naming():
    """Return a pattern for a message that names a file and then says some words."""
    return lambda path, words: f"(?s){re.escape(str(path))}.*{words}"
