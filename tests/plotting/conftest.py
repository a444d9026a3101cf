"""Fitted models with known maps, to be drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr


class Fitted:
    """What plots need of a fitted estimator."""

    def __init__(self, maps: xr.DataArray, signals: xr.DataArray, energy: xr.DataArray) -> None:
        self.maps_, self.signals_, self.energy_ = maps, signals, energy

    def fit(self) -> None:
        """Be an estimator."""

    def only_a_slice(self) -> Fitted:
        """Return the model of one slice."""
        return Fitted(self.maps_.isel(z=[4]), self.signals_, self.energy_)


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


def _mm(dim: str, values: Any) -> xr.Variable:
    return xr.Variable(dim, values, {"units": "mm", "long_name": dim})


def _signals(count: int, times: Any) -> xr.DataArray:
    rng = np.random.default_rng(1)
    return xr.DataArray(
        rng.random((len(times), count)) * np.linspace(9, 1, count),
        dims=("time", "component"),
        coords={
            "time": ("time", times, {"units": "s", "long_name": "Time"}),
            "component": np.arange(count),
        },
        attrs={"long_name": "signal", "units": "mV"},
    )


def _energy(count: int) -> xr.DataArray:
    return xr.DataArray(0.6 ** np.arange(1, count + 1), dims="component")


@pytest.fixture
def fusi() -> Callable[..., Fitted]:
    """Return a maker of models of one fUSI slice (z, y, x), y a depth, with signs if asked."""

    def make(count: int = 3, *, signs: bool = False) -> Fitted:
        values = np.random.default_rng(0).random((count, 2, 1, 12, 8)) ** 3
        maps = xr.DataArray(
            values,
            dims=("component", "sign", "z", "y", "x"),
            coords={
                "component": np.arange(count),
                "sign": ["positive", "negative"],
                "z": _mm("z", [1.0]),
                "y": _mm("y", 2.7 + 0.05 * np.arange(12)),
                "x": _mm("x", -0.35 + 0.1 * np.arange(8)),
            },
            attrs={"long_name": "map", "units": "1"},
        )
        chosen = maps if signs else maps.sel(sign="positive", drop=True)
        return Fitted(chosen, _signals(count, 10.6 + 0.3 * np.arange(40)), _energy(count))

    return make


@pytest.fixture
def fmri() -> Fitted:
    """Return a model of a volume (z, y, x), y and x about 0, x falling, NaN outside a ball."""
    z, y, x = 10.0 * np.arange(-4, 5), 10.0 * np.arange(-5, 6), -10.0 * np.arange(-4, 5)
    away = (z[:, None, None] / 45) ** 2 + (y[:, None] / 55) ** 2 + (x / 45) ** 2
    values = np.where(away < 1, np.random.default_rng(2).random((2, *away.shape)), np.nan)
    maps = xr.DataArray(
        values,
        dims=("component", "z", "y", "x"),
        coords={"component": [0, 1], "z": _mm("z", z), "y": _mm("y", y), "x": _mm("x", x)},
        attrs={"long_name": "map", "units": "1"},
    )
    return Fitted(maps, _signals(2, 2.5 * np.arange(30)), _energy(2))


@pytest.fixture
def listed() -> Callable[..., Fitted]:
    """Return a maker of models with other feature dimensions than space."""

    def make(**features: Any) -> Fitted:
        sizes = tuple(len(labels) for labels in features.values())
        maps = xr.DataArray(
            np.random.default_rng(3).random((3, *sizes)),
            dims=("component", *features),
            coords={"component": np.arange(3), **features},
            attrs={"long_name": "weight", "units": "1"},
        )
        return Fitted(maps, _signals(3, np.arange(50.0)), _energy(3))

    return make
