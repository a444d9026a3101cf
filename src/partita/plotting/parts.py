"""What a fitted model shows: its maps, signals and shares, and the components asked for."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from partita._labels.numbers import is_whole
from partita.plotting.traces import within
from partita.preprocess import merge_sign


class Parts(NamedTuple):
    """Maps, signals and share of the energy of some components; those of one page of several.

    `all_maps` and `all_signals` are those of every component, whose scales the shown ones have.
    """

    maps: xr.DataArray
    signals: xr.DataArray
    shares: list[float]
    page: int
    pages: int
    all_maps: xr.DataArray
    all_signals: xr.DataArray

    @property
    def sample_dim(self) -> str:
        """The dimension of samples, usually time."""
        return next(str(dim) for dim in self.signals.dims if dim != "component")

    def during(self, times: Any, *, caller: str) -> Parts:
        """Return them with the signals of a stretch of time."""
        chosen = [
            within(signals, self.sample_dim, times, caller=caller)
            for signals in (self.signals, self.all_signals)
        ]
        return self._replace(signals=chosen[0], all_signals=chosen[1])


def parts_of(
    model: Any,
    *,
    components: Any = None,
    page: int = 1,
    at_most: int | None = None,
    caller: str,
) -> Parts:
    """Return what a fitted model holds of some components: those of one page of `at_most`, or all.

    Raises
    ------
    TypeError
        If it is no model.
    sklearn.exceptions.NotFittedError
        If it has not been fitted.
    ValueError
        If a component or the page is not known.
    """
    require_fitted(model, caller=caller)
    maps, signals = model.maps_, model.signals_
    chosen = find_components(maps, components)
    at_most = len(chosen) if at_most is None else at_most
    pages = max(1, -(-len(chosen) // max(1, at_most)))
    if not is_whole(page) or not 1 <= page <= pages:
        raise ValueError(f"There is no page {page!r}: the components fill {pages}, from 1 on.")
    shown = chosen[(page - 1) * at_most : page * at_most]
    energy = getattr(model, "energy_", None)
    shares = [np.nan] * maps.sizes["component"] if energy is None else energy.values.tolist()
    signals = signals.transpose(..., "component")
    return Parts(
        maps=maps.isel(component=shown),
        signals=signals.isel(component=shown),
        shares=[float(shares[at]) for at in shown],
        page=page,
        pages=pages,
        all_maps=maps,
        all_signals=signals,
    )


def find_components(
    array: xr.DataArray, components: Hashable | Sequence[Hashable] | None
) -> list[int]:
    """Return where the components with these labels stand; all without labels.

    Raises
    ------
    ValueError
        If one is not known, or none is asked for.
    """
    labels = array["component"].values.tolist()
    if components is None:
        return list(range(len(labels)))
    alone = isinstance(components, str) or np.ndim(components) == 0  # type: ignore[arg-type]
    wanted = [components] if alone else list(components)  # type: ignore[call-overload]
    unknown = [label for label in wanted if label not in labels]
    if unknown or not wanted:
        what = f"There is no component {unknown[0]!r}" if unknown else "No component was asked for"
        raise ValueError(f"{what}. Known: {', '.join(map(str, labels))}.")
    return [labels.index(label) for label in wanted]


def merged(maps: xr.DataArray) -> xr.DataArray:
    """Return maps with one value a voxel: rises less falls, where they have both."""
    return merge_sign(maps) if "sign" in maps.dims else maps


def share_in_words(share: float) -> str:
    """Return ``"alone 12.4 %"``, or nothing where the share is not known.

    It is what the part would explain of the squares if it were the only one: parts overlap, so the
    shares of several add up to no share of anything.
    """
    if not np.isfinite(share):
        return ""
    percent = 100 * share
    number = "< 0.1" if 0 < percent < 0.05 else f"{percent:.1f}"
    return f"alone {number} %"


def explained_in_words(model: Any) -> str:
    """Return ``"10 parts: R² 18.5 %"``; without R² where the model does not know it."""
    count = model.maps_.sizes["component"]
    parts = f"{count} part{'s' if count != 1 else ''}"
    explained = getattr(model, "explained_", None)
    share = np.nan if explained is None else float(explained["r2"])
    return f"{parts}: R² {100 * share:.1f} %" if np.isfinite(share) else parts


def require_fitted(model: Any, *, caller: str) -> None:
    """Refuse what is no model, and a model before its fit."""
    if hasattr(model, "maps_") and hasattr(model, "signals_"):
        return
    if isinstance(model, type) or not hasattr(model, "fit"):
        given = model.__name__ if isinstance(model, type) else type(model).__name__
        raise TypeError(
            f"{caller} needs a fitted model, such as NMF(n_components=10).fit(recording), and was "
            f"given {given}. For maps or signals alone: plot_map, plot_signals."
        )
    from sklearn.exceptions import NotFittedError

    raise NotFittedError(
        f"{caller} was given {type(model).__name__} before its fit, so there is nothing to draw. "
        "Fit it first: model.fit(recording)."
    )
