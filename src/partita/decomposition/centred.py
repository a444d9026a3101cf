"""What PCA and FastICA share: a recording less its means, and the way back to it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from partita._labels.stack import Stacker
from partita._solvers import peak_memory
from partita._solvers.linear import least_squares, streamed_signals
from partita._solvers.linear.principal_components import principal
from partita._solvers.matrices import products
from partita._solvers.matrices.lanes import threads_here
from partita._solvers.matrices.spread import spread
from partita._solvers.peak_memory import Budget, Size
from partita._solvers.problem import normalisation
from partita.decomposition import parameters
from partita.decomposition.explained import Explained
from partita.decomposition.fit import Array, Fit, Seen, Signals
from partita.decomposition.progress import name_dashboard

MODES = ("temporal", "spatial")


class Centred(NamedTuple):
    """A recording less each voxel's mean over time ("temporal") or each time point's over voxels.

    Attributes
    ----------
    matrix : numpy.ndarray, (n_samples, n_features), or None
        What is left; None where it is read part by part.
    mean : numpy.ndarray, (1, n_features) or (n_samples, 1)
        What was taken off.
    norm2, mean_norm2 : float
        Squared norms of both. They add up to the recording's: one is orthogonal to the other.
    singular : tuple of numpy.ndarray, or None
        Leading singular vectors and values of what is read part by part: (n_samples, k), (k,) and
        (k, n_features).
    """

    matrix: Any
    mean: Array
    norm2: float
    mean_norm2: float
    singular: tuple[Array, Array, Array] | None = None


def look_over(model: Any, recording: xr.DataArray) -> tuple[Seen, Centred]:
    """Refuse what a model cannot use, and return the rest as numbers, whole and less its means."""
    streams = model._in_parts(recording, None)
    rng = parameters.generator(model.random_state) if streams else None
    if model.verbose and streams:
        name_dashboard(type(model).__name__)
    seen = model._look_over(recording, rng=rng)
    return seen, centred(seen, model.n_components, model.mode, rng, caller=type(model).__name__)


def centred(
    seen: Seen, n_components: int, mode: str, rng: np.random.Generator | None, *, caller: str
) -> Centred:
    """Take the means off; of a stream, with random numbers, find leading singular vectors as well.

    Raises
    ------
    ValueError
        If there are more components than samples or voxels.
    """
    _refuse_rank(seen.stacker, n_components, caller=caller)
    axis = 0 if mode == "temporal" else 1
    if seen.in_parts:
        assert rng is not None
        found = principal(seen.matrix, n_components, axis=axis, rng=rng)
        singular = found.U, found.s, found.V
        return Centred(None, found.mean, found.norm2, found.mean_norm2, singular)
    matrix, mean = least_squares.centre(seen.matrix, axis=axis)
    of_mean = products.norm2(np.broadcast_to(mean, matrix.shape))
    return Centred(matrix, mean, products.norm2(matrix), of_mean)


def _refuse_rank(stacker: Stacker, n_components: int, *, caller: str) -> None:
    """Refuse more components than samples or voxels (ValueError)."""
    n, p = stacker.n_samples, stacker.n_features
    if n_components > min(n, p):
        raise ValueError(
            f"{caller} can find at most min(samples, voxels) = {min(n, p)} components in {n} "
            f"samples of {p} voxels; n_components is {n_components}. Ask for fewer."
        )


def fit_of(seen: Seen, found: Centred, signals: Array, maps: Array) -> Fit:
    """Return the factors of a centred recording as a fit: upright, unit maps, by energy."""
    if found.singular is None:
        error2 = products.residual_norm2(found.matrix, signals, maps)
    else:
        error2 = found.norm2 - float(np.square(found.singular[1], dtype=np.float64).sum())
    signals, maps, *_ = normalisation.canonicalise(*least_squares.upright(signals, maps))
    more, offset = {}, None
    if found.mean.shape[0] == 1:
        more = {"mean_": _mean_map(seen.stacker, found.mean[0])}
    else:
        offset = found.mean[:, 0]
    return Fit(
        Signals(signals, offset),
        maps,
        np.arange(len(maps)),
        norm2=found.norm2 + found.mean_norm2,
        error=float(np.sqrt(max(error2, 0.0))),
        explained=Explained.of(spread(seen.matrix), max(error2, 0.0)),
        streams=found.singular is not None,
        more=more,
    )


def _mean_map(stacker: Stacker, row: Array) -> xr.DataArray:
    units = {"units": str(stacker.attrs["units"])} if "units" in stacker.attrs else {}
    mean = stacker.feature_map(row).rename("mean")
    return mean.assign_attrs(long_name="mean over time", **units)


def signals_for(seen: Seen, maps: Array, mean: xr.DataArray | None) -> Signals:
    """Return least-squares signals of a recording for maps, and the means taken off samples.

    Parameters
    ----------
    seen : Seen
        In memory or a stream.
    maps : numpy.ndarray, (n_components, n_features)
        Of the same features.
    mean : xarray.DataArray, (...features), or None
        What is taken off each voxel; None takes each time point's mean off.
    """
    off = None if mean is None else _row_of(seen.stacker, mean)
    if seen.in_parts:
        values, means = streamed_signals.signals_for(seen.matrix, maps, mean=off)
        return Signals(values, means if mean is None else None)
    if off is not None:
        return Signals(least_squares.least_squares(seen.matrix - off, maps))
    matrix, means = least_squares.centre(seen.matrix, axis=1)
    return Signals(least_squares.least_squares(matrix, maps), means[:, 0])


def with_mean(
    parts: Any, signals: xr.DataArray, mean: xr.DataArray | None, stacker: Stacker, *, caller: str
) -> Any:
    """Return the sum of the parts and of the means that were taken off.

    Raises
    ------
    ValueError
        If they were taken off time points, and the signals do not bring them along.
    """
    if mean is not None:
        return parts + _row_of(stacker, mean)
    if "offset" not in signals.coords:
        raise ValueError(
            f"{caller}(mode='spatial').inverse_transform needs each time point's "
            "mean, the coordinate 'offset' that fit_transform and transform put on the "
            "signals, and it is missing. Assign it: "
            "signals.assign_coords(offset=('time', ...))."
        )
    return parts + signals["offset"].values[:, None]


def _row_of(stacker: Stacker, mean: xr.DataArray) -> Array:
    row: Array = stacker.flat_maps(mean, caller="mean_", leading=())
    return row


def peak_memory_of(size: Size, *, mode: str, chunks: Any) -> Budget:
    """Return what a fit takes beside the recording (see `Decomposition._peak_memory`)."""
    if chunks is not None:
        return peak_memory.of_streamed(size, chunks, threads=threads_here(), linear=True)
    shape = (size.n, size.p) if mode == "temporal" else (size.p, size.n)
    solver = least_squares.eigensolver(shape, size.k)
    return peak_memory.of_linear(
        size, by_covariance=solver == "covariance_eigh", fully=solver == "full"
    )
