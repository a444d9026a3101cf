"""What the examples in the docstrings may take for granted, and how tests share a machine."""

from __future__ import annotations

import os

# Each of several workers has a processor: a BLAS with as many threads as there are processors would
# spend most of its time waiting in a loop. Read when numpy is loaded.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("MKL_NUM_THREADS", "1")

import joblib
import matplotlib
import numpy as np
import pytest
import xarray as xr

import partita

matplotlib.use("Agg")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Let `-n auto` be as many workers as this process may use processors, not as there are."""
    return int(os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS") or joblib.cpu_count())


@pytest.fixture(autouse=True)
def _names_of_examples(doctest_namespace: dict[str, object]) -> None:
    """Give the examples the names that a user has imported."""
    doctest_namespace.update(np=np, xr=xr, partita=partita, pt=partita)
