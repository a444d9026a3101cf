"""What the tests of decompositions share."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import xarray as xr

import partita as pt


@pytest.fixture(scope="session")
def signed_fusi() -> Callable[..., xr.DataArray]:
    """Return a maker of standardised, split recordings of one plane, (time, sign, y, x)."""

    def make(n_times: int, shape: tuple[int, int], n_components: int) -> xr.DataArray:
        truth = pt.datasets.simulate_fusi(
            n_times=n_times, shape=(1, *shape), n_components=n_components, random_state=0
        )
        power = truth["recording"].isel(z=0, drop=True)
        return pt.preprocess.split_sign(pt.preprocess.zscore(power))

    return make
