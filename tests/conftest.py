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


@pytest.fixture(autouse=True)
def doctest_names(doctest_namespace: dict[str, object]) -> None:
    """Give the examples in docstrings the names that a user has imported."""
    import numpy as np
    import xarray as xr

    import partita

    doctest_namespace.update(np=np, xr=xr, partita=partita, pt=partita)
