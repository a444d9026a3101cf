"""Say in words what a figure of a model shows: for those who do not see it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from partita.plotting.parts import Parts, merged, parts_of
from partita.plotting.traces import Samples, samples_of
from partita.plotting.views import SPACE, cut_at

_NAMED = 3  # features of a list that are called by name


def describe(
    model: Any,
    *,
    components: Hashable | Sequence[Hashable] | None = None,
    times: tuple[Any, Any] | None = None,
) -> str:
    """Say in words what `plot_components` draws of a model: its alternative text.

    How many parts there are and how much they explain, then a sentence or two a part: where its map
    is strongest and how far it spreads, and when its course is highest.

    Parameters
    ----------
    model : fitted estimator
        As for `plot_components`.
    components : label or sequence of labels, optional
        The components that are drawn; all by default.
    times : (start, stop), optional
        The stretch of time that is drawn.

    Returns
    -------
    str
        Plain text, a line a part, for an attribute ``alt`` or a caption.

    Raises
    ------
    TypeError
        If `model` is no model.
    sklearn.exceptions.NotFittedError
        If it has not been fitted.
    ValueError
        If a component is not known, or no sample lies between `times`.

    Examples
    --------
    >>> nmf = partita.NMF(n_components=2, random_state=0).fit(partita.datasets.load_sample())
    >>> print(partita.plotting.describe(nmf).splitlines()[1])
    All parts explain 17.0 % of the variance (R²) and 98.8 % of the squares.
    """
    parts = parts_of(model, components=components, caller="describe")
    parts = parts.during(times, caller="describe")
    samples = samples_of(parts.signals, parts.sample_dim)
    maps = merged(parts.maps)
    lines = [_whole(parts, maps, samples), *_explained(model)]
    for row, label in enumerate(maps["component"].values):
        share = parts.shares[row]
        known = f", alone {100 * share:.1f} % of the squares," if np.isfinite(share) else ""
        course = np.asarray(parts.signals.values[:, row], dtype=float)
        where, when = _map(maps.isel(component=row)), _course(course, samples)
        lines.append(f"Component {label}{known} {where} {when}")
    return "\n".join(lines)


def _whole(parts: Parts, maps: xr.DataArray, samples: Samples) -> str:
    total, shown = parts.all_maps.sizes["component"], maps.sizes["component"]
    count = f"{total} part{'s' if total != 1 else ''}"
    sizes = [f"{dim} ({size})" for dim, size in maps.sizes.items() if dim != "component"]
    grid = " and ".join(filter(None, [", ".join(sizes[:-1]), *sizes[-1:]])) or "one feature"
    ends = f"{_moment(samples, 0)} to {_moment(samples, -1)}{_unit(samples)}"
    return (
        f"{count if shown == total else f'{shown} of {count}'}: maps over {grid} beside courses of "
        f"{samples.at.size} samples, {ends}."
    )


def _explained(model: Any) -> list[str]:
    explained = getattr(model, "explained_", None)
    if explained is None or not np.isfinite(float(explained["r2"])):
        return []
    r2, vaf = (100 * float(explained[name]) for name in ("r2", "vaf"))
    return [f"All parts explain {r2:.1f} % of the variance (R²) and {vaf:.1f} % of the squares."]


def _map(map_: xr.DataArray) -> str:
    """Return ``"is strongest at y = 3 mm, x = 2 mm; half of it lies in 4.2 % of the voxels."``."""
    values = np.nan_to_num(map_.values.astype(float))
    squares = np.sort((values**2).ravel())[::-1]
    if not squares.size or not squares[0]:
        return "has an empty map."
    half = 1 + int(np.searchsorted(np.cumsum(squares), squares.sum() / 2))
    inside = max(int(np.isfinite(map_.values.astype(float)).sum()), 1)
    here = np.unravel_index(int(np.abs(values).argmax()), values.shape)
    way = "" if values.min() >= 0 else (", rising" if values[here] > 0 else ", falling")
    spread = f"half of its squares lie in {100 * half / inside:.2g} % of the"
    if {str(dim) for dim in map_.dims} & set(SPACE) or map_.ndim != 1:
        long = [dim for dim in map_.dims if map_.sizes[dim] > 1] or map_.dims
        at = dict(zip(map_.dims, map(int, here), strict=True))
        places = {str(dim): at[dim] for dim in long}
        return f"is strongest at {cut_at(map_, places).label}{way}; {spread} voxels."
    return f"weighs most on {_largest(map_)}{way}; {spread} features."


def _largest(map_: xr.DataArray) -> str:
    dim = str(map_.dims[0])
    sizes = np.abs(np.nan_to_num(map_.values.astype(float)))
    first = [at for at in np.argsort(-sizes, kind="stable")[:_NAMED] if sizes[at]]
    return ", ".join(cut_at(map_, {dim: int(at)}).label for at in first)


def _course(course: np.ndarray[Any, Any], samples: Samples) -> str:
    finite = np.where(np.isfinite(course), course, -np.inf)
    if not np.isfinite(finite).any() or finite.max() == np.min(course[np.isfinite(course)]):
        return "Its course is flat."
    at = int(finite.argmax())
    return f"Its course is highest at {_moment(samples, at)}{_unit(samples)}."


def _moment(samples: Samples, at: int) -> str:
    if samples.words is not None:
        return samples.words[at]
    moment = samples.at[at]
    return f"{moment:.4g}" if samples.at.dtype.kind in "iuf" else str(moment).partition(".")[0]


def _unit(samples: Samples) -> str:
    """Return `` s``, or nothing where samples are dates or counted."""
    unit = samples.label.rpartition("[")[2].rstrip("]") if samples.label.endswith("]") else ""
    return f" {unit}" if unit and samples.at.dtype.kind in "iuf" else ""
