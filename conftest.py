"""What the examples in the docstrings may take for granted."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest
import xarray as xr

import partita

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def _names_of_examples(doctest_namespace: dict[str, object]) -> None:
    """Give the examples the names that a user has imported."""
    doctest_namespace.update(np=np, xr=xr, partita=partita, pt=partita)
