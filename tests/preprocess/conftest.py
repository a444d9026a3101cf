"""Recordings that the tests of cleaning share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr


@pytest.fixture
def labelled() -> Callable[..., xr.DataArray]:
    """Return a maker of evenly sampled recordings with all the labels a real one has."""

    def make(*, dtype: str = "float64", n_times: int = 120, offset: float = 1e3) -> xr.DataArray:
        rng = np.random.default_rng(3)
        shape = (n_times, 2, 5, 4)
        values = offset + rng.standard_normal(shape).cumsum(axis=0) + rng.standard_normal(shape)
        return xr.DataArray(
            values.astype(dtype),
            dims=("time", "z", "y", "x"),
            coords={
                "time": ("time", 2.0 * np.arange(n_times), {"units": "s", "long_name": "Time"}),
                "z": ("z", 0.4 * np.arange(2), {"units": "mm"}),
                "y": ("y", 0.1 * np.arange(5), {"units": "mm"}),
                "x": ("x", -0.2 * np.arange(4), {"units": "mm"}),
                "grid": ((), 0, {"qform_code": 1}),
                "depth": (("y", "x"), rng.random((5, 4))),
                "motion": (("time", "y"), rng.random((n_times, 5))),
                "run": ("time", np.arange(n_times) // 60),
            },
            attrs={"units": "a.u.", "long_name": "BOLD", "history": "load()", "subject": "S1"},
            name="bold",
        )

    return make


@pytest.fixture
def counted() -> Callable[[xr.DataArray], tuple[xr.DataArray, list[int]]]:
    """Return a maker of lazy recordings that note how many values were read of them."""

    def make(lazy: xr.DataArray) -> tuple[xr.DataArray, list[int]]:
        reads: list[int] = []

        def read(block: np.ndarray) -> np.ndarray:
            reads.append(block.size)
            return block

        values = lazy.data.map_blocks(read, dtype=lazy.dtype, meta=lazy.data._meta)
        return lazy.copy(data=values), reads

    return make
