"""Every estimator of the registry in every mode, and a recording with known parts to try."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import partita
from partita.decomposition import persistence
from partita.decomposition.registry import estimators


class Maker:
    """Makes one kind of estimator in one mode, with three components and a seed."""

    def __init__(self, kind: type, mode: str | None) -> None:
        self.kind, self.mode = kind, mode
        self.name = kind.__name__ if mode is None else f"{kind.__name__}-{mode}"

    def __call__(self, **more: Any) -> Any:
        """Return the estimator with further parameters."""
        given: dict[str, Any] = {"n_components": 3, "random_state": 0}
        if self.mode is not None:
            given["mode"] = self.mode
        known = inspect.signature(self.kind).parameters
        given = {name: value for name, value in given.items() if name in known}
        return self.kind(**{**given, **more})


MAKERS = [Maker(kind, mode) for kind in estimators().values() for mode in (kind.modes or (None,))]


def _fixture(chosen: Iterable[Maker]) -> Callable[..., Any]:
    chosen = list(chosen)

    def make(request: pytest.FixtureRequest) -> Maker:
        maker: Maker = request.param
        return maker

    return pytest.fixture(make, params=chosen, ids=[maker.name for maker in chosen])


make = _fixture(MAKERS)
# What is asked of labels alone depends on the kind, and has most to keep in its last mode.
make_each = _fixture({maker.kind: maker for maker in MAKERS}.values())
make_iterative = _fixture(m for m in MAKERS if m.kind.iterative)
make_moded = _fixture(m for m in MAKERS if m.kind.modes)
make_weighted = _fixture(m for m in MAKERS if m.kind.weighted)
make_unweighted = _fixture(m for m in MAKERS if not m.kind.weighted)
make_streaming = _fixture(m for m in MAKERS if m.kind.streams)


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


@cache
def _fitted_by(maker: Maker) -> Any:
    return maker().fit(planted())


@pytest.fixture
def fitted(make: Maker) -> Any:
    """Return a model fitted to the recording, for tests that only look at it."""
    return _fitted_by(make)


@pytest.fixture
def taken_to_a_file(make_each: Maker, tmp_path: Path) -> Callable[[Any], Any]:
    """Return what takes a model to a file and back.

    A file keeps the variables of one kind of estimator as those of another: for all kinds but one
    they are put together again as they would be written.
    """

    def by_file(model: Any) -> Any:
        partita.save(model, tmp_path / "model.nc")
        return partita.load_model(tmp_path / "model.nc")

    def in_memory(model: Any) -> Any:
        return persistence.from_dataset(persistence.to_dataset(model))

    return by_file if make_each.kind is partita.NMF else in_memory
