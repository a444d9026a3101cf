"""Every estimator in every mode, and a recording with known parts to try them on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr

import partita

ESTIMATORS: dict[str, Callable[..., Any]] = {
    f"{name}-{mode}": (lambda name=name, mode=mode, **more: getattr(partita, name)(
        **{"n_components": 3, "mode": mode, "random_state": 0, **more}
    ))
    for name in ("NMF", "PCA", "FastICA")
    for mode in ("temporal", "spatial")
}  # fmt: skip
ITERATIVE = [name for name in ESTIMATORS if not name.startswith("PCA")]
NON_NEGATIVE = [name for name in ESTIMATORS if name.startswith("NMF")]


@pytest.fixture(params=sorted(ESTIMATORS))
def make(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Return a factory of each estimator in each mode."""
    return ESTIMATORS[request.param]


@pytest.fixture(params=NON_NEGATIVE)
def make_non_negative(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Return a factory of each estimator that promises non-negative parts."""
    return ESTIMATORS[request.param]


@pytest.fixture(params=ITERATIVE)
def make_iterative(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Return a factory of each iterative estimator."""
    return ESTIMATORS[request.param]


def planted(*, dtype: str = "float32", seed: int = 7) -> xr.DataArray:
    """Return three sparse parts and a little noise, with every kind of coordinate."""
    rng = np.random.default_rng(seed)
    signals = rng.gamma(0.5, 1.0, (60, 3)) * [5.0, 3.0, 2.0]
    maps = rng.gamma(0.3, 1.0, (3, 2, 6, 5))
    values = np.tensordot(signals, maps, 1) + 0.02 * rng.random((60, 2, 6, 5))
    return xr.DataArray(
        values.astype(dtype),
        dims=("time", "z", "y", "x"),
        coords={
            "time": ("time", np.arange(60) * 0.4 + 1.0, {"units": "s", "long_name": "Time"}),
            "z": ("z", [1.0, 1.4], {"units": "mm"}),
            "y": ("y", np.arange(6) * 0.05, {"units": "mm", "long_name": "Depth"}),
            "x": ("x", np.arange(5) * -0.1, {"units": "mm"}),
            "run": ("time", np.repeat(["a", "b"], 30)),
            "area": (("y", "x"), np.arange(30).reshape(6, 5)),
            "slice_time": (("time", "z"), np.add.outer(np.arange(60) * 0.4, [0.0, 0.2])),
            "grid": ((), 0, {"affine": np.eye(4).ravel(), "qform_code": 1}),
            "subject": "S1",
        },
        name="power",
        attrs={"units": "a.u.", "long_name": "Power Doppler", "history": "simulate()"},
    )


@pytest.fixture
def recording() -> xr.DataArray:
    """Return a fresh recording with three planted parts."""
    return planted()
