"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import matplotlib
import pytest

matplotlib.use("Agg")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real recordings, or skip the test."""
    folder = os.environ.get("PARTITA_REAL_DATA")
    if not folder:
        pytest.skip("PARTITA_REAL_DATA is not set")
    return Path(folder)
