"""The plainest recording with known truth: non-negative parts, non-negative signals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import xarray as xr

from partita._labels.numbers import (
    require_amounts,
    require_counts,
    require_floating,
    require_shape,
)
from partita.datasets.coordinates import (
    SOURCE_MAP,
    component_coordinate,
    space_coordinate,
    time_coordinate,
    with_history,
)
from partita.datasets.seeds import Seed, spawn_generators

Floats = npt.NDArray[np.float64]

CALLER = "simulate_parts"
ACTIVITY = {"units": "a.u.", "long_name": "Activity"}
DIMS = {1: ("feature",), 2: ("y", "x"), 3: ("z", "y", "x")}


def simulate_parts(
    *,
    n_times: int = 200,
    shape: int | Sequence[int] = (16, 20),
    n_components: int = 4,
    noise: float = 0.05,
    random_state: Seed = None,
    dtype: npt.DTypeLike = np.float32,
) -> xr.Dataset:
    r"""Simulate a non-negative recording that is a sum of a few parts, plus noise.

    .. math:: X = \max(0,\; S M + \sigma E)

    with localised non-negative parts in the rows of :math:`M`, of unit Euclidean norm; sparse
    non-negative signals in the columns of :math:`S`, quiet about half of the time, of energies
    that fall from part to part; :math:`E` standard normal and :math:`\sigma` a fraction `noise`
    of the root mean square of :math:`SM`.

    Parameters
    ----------
    n_times : int
        Number of samples, at least 2, taken every second.
    shape : int or sequence of 1 to 3 int
        Number of features, named ``feature``; or pixels (y, x) or voxels (z, y, x) of 1 mm.
    n_components : int
        Number of parts.
    noise : float
        Standard deviation of the noise, a fraction of the root mean square of the clean data.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None
        Seed; None differs from call to call.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    xarray.Dataset
        ``recording`` (time, *features), ``maps`` (component, *features) of unit norm and
        ``signals`` (time, component), ordered by energy, largest first.

    Raises
    ------
    ValueError
        If a size is not positive, the noise is negative, or the dtype is no floating type.

    Examples
    --------
    >>> from partita.datasets import simulate_parts
    >>> truth = simulate_parts(n_times=30, shape=12, n_components=2, noise=0, random_state=0)
    >>> dict(truth.recording.sizes)
    {'time': 30, 'feature': 12}
    >>> clean = (truth.maps * truth.signals).sum("component")
    >>> bool(abs(clean - truth.recording).max() < 1e-5)
    True
    """
    given = dict(locals())
    kind = require_floating(CALLER, dtype)
    sizes = (shape,) if isinstance(shape, int | np.integer) else shape
    counts = require_shape(CALLER, sizes, n_axes=[1, 2, 3], axes="one to three axes")
    require_counts(CALLER, n_components=n_components)
    require_counts(CALLER, minimum=2, n_times=n_times)
    require_amounts(CALLER, noise=noise)
    map_rng, signal_rng, noise_rng = spawn_generators(random_state, 3)
    maps = _draw_maps(counts, n_components, rng=map_rng)
    signals = _draw_signals(n_times, n_components, rng=signal_rng)
    clean = signals @ maps
    level = noise * np.sqrt(np.mean(clean**2))
    noisy = np.maximum(clean + level * noise_rng.standard_normal(clean.shape), 0)
    dims = DIMS[len(counts)]
    truth = xr.Dataset(
        {
            "recording": (("time", *dims), noisy.reshape(-1, *counts).astype(kind), ACTIVITY),
            "maps": (("component", *dims), maps.reshape(-1, *counts).astype(kind), SOURCE_MAP),
            "signals": (("time", "component"), signals.astype(kind), ACTIVITY),
        },
        coords={
            "time": time_coordinate(np.arange(float(n_times))),
            "component": component_coordinate(n_components),
            **_places(dims, counts),
        },
    )
    return with_history(truth, CALLER, given)


def _places(dims: tuple[str, ...], counts: tuple[int, ...]) -> dict[str, xr.Variable]:
    if dims == ("feature",):
        return {"feature": xr.Variable("feature", np.arange(counts[0]))}
    return {name: space_coordinate(name, 0.0, 1.0, n) for name, n in zip(dims, counts, strict=True)}


def _draw_maps(shape: tuple[int, ...], count: int, *, rng: np.random.Generator) -> Floats:
    """Draw bumps in random places, each zero over most of the field, as rows of unit norm."""
    places = np.indices(shape).reshape(len(shape), -1) / np.maximum(shape, 1)[:, None]
    radius = 0.5 * count ** (-1 / len(shape))
    maps = np.empty((count, places.shape[1]))
    for number in range(count):
        own = places[:, rng.integers(places.shape[1])][:, None]
        distance = np.linalg.norm(places - own, axis=0) / radius
        maps[number] = np.maximum(1 - distance**2, 0) * rng.uniform(0.5, 1, places.shape[1])
    unit: Floats = maps / np.linalg.norm(maps, axis=1, keepdims=True)
    return unit


def _draw_signals(n_times: int, count: int, *, rng: np.random.Generator) -> Floats:
    """Draw exponential amplitudes at a random half of the times; at least one is not zero."""
    active = rng.random((n_times, count)) < 0.5
    active[rng.integers(n_times, size=count), np.arange(count)] = True
    signals = active * rng.exponential(1.0, (n_times, count))
    signals /= np.linalg.norm(signals, axis=0)
    signals *= 10 * np.sqrt(n_times) * np.linspace(1, 0.5, count)
    return signals
