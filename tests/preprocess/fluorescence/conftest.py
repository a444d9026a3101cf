"""A recording of fluorescence that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from partita.datasets import simulate_traces


@pytest.fixture(scope="session")
def movie() -> Callable[..., xr.DataArray]:
    """Return a maker of fluorescence of a few voxels with all the labels a real one has."""

    def make(*, dtype: str = "float32", n_times: int = 900, scale: float = 1.0) -> xr.DataArray:
        truth = simulate_traces(
            n_times=n_times, n_neurons=24, sampling_interval=0.1, snr=8, random_state=4, dtype="f8"
        )
        values = (scale * truth.recording.values).reshape(-1, 2, 3, 4)
        return xr.DataArray(
            values.astype(dtype),
            dims=("time", "z", "y", "x"),
            coords={
                "time": truth.time,
                "y": ("y", 0.1 * np.arange(3), {"units": "mm"}),
                "grid": ((), 0, {"qform_code": 1}),
                "depth": (("y", "x"), np.arange(12.0).reshape(3, 4)),
                "motion": (("time", "y"), np.ones((n_times, 3))),
            },
            attrs={"units": "a.u.", "long_name": "Fluorescence", "history": "load()"},
            name="movie",
        )

    return make
