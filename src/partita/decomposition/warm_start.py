"""Labelled factors to begin from: matched with the recording, in the order that is kept."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from partita._labels import checks
from partita._labels.stack import Stacker
from partita._solvers.problem.start import Start

Array = np.ndarray[Any, Any]

INITS = ("auto", "random", "nndsvd", "nndsvda", "nndsvdar")


class Given(NamedTuple):
    """What a fit begins from, and the labels of its components.

    `n_kept` components come first, in the order given; `held` of them keep their maps.
    """

    start: Start
    n_kept: int
    n_held: int
    component: Array

    @property
    def held(self) -> Array | None:
        """Which components keep their maps (n_components,); None where none does."""
        return np.arange(len(self.component)) < self.n_held if self.n_held else None


def gather(
    stacker: Stacker, *, init: Any, fixed_maps: xr.DataArray | None, n_components: int
) -> Given:
    """Return the start of a fit from the parameters `init` and `fixed_maps`.

    Raises
    ------
    TypeError, ValueError
        If one of them is of another kind, on another grid, negative, or has too many components.
    """
    _refuse_kind(init)
    fixed = None if fixed_maps is None else _maps(stacker, fixed_maps, caller="fixed_maps")
    n_held = 0 if fixed is None else len(fixed[0])
    warm = None if isinstance(init, str) else _warm(stacker, init)
    if warm is not None and fixed is not None:
        warm = _less_held(warm, fixed[1])
    if warm is None and fixed is None:
        return Given(Start(init), 0, 0, np.arange(n_components))
    blocks = [part for part in (fixed, warm) if part is not None]
    rows = np.concatenate([part[0] for part in blocks])
    labels = [label for part in blocks for label in part[1]]
    if len(rows) > n_components:
        raise ValueError(
            f"fixed_maps and init bring {len(rows)} components, and n_components is "
            f"{n_components}. Raise n_components, or select fewer: maps.sel(component=[...])."
        )
    # Signals are those of all maps that they came with, not of some beside others.
    signals = warm[2] if warm is not None and fixed is None else None
    rest = init if isinstance(init, str) else "auto"
    start = Start(rest, W=signals, H=rows)
    return Given(start, len(rows), n_held, _labelled_on(labels, n_components))


def _refuse_kind(init: Any) -> None:
    if isinstance(init, str):
        if init not in INITS:
            raise ValueError(
                f"init is one of {', '.join(INITS)}, or labelled maps; given: {init!r}."
            )
        return
    if not isinstance(init, xr.DataArray | xr.Dataset):
        raise TypeError(
            f"init is a name, a DataArray of maps or a Dataset of maps and signals, and was given "
            f"{type(init).__name__}. From a fitted model: init=model.maps_."
        )


def _warm(stacker: Stacker, init: xr.DataArray | xr.Dataset) -> tuple[Array, list[Any], Any]:
    if isinstance(init, xr.DataArray):
        return (*_maps(stacker, init, caller="init"), None)
    if not {"maps", "signals"} <= set(init.data_vars):
        raise ValueError(
            f"A Dataset given as init needs the variables 'maps' and 'signals'; it has "
            f"{sorted(map(str, init.data_vars))}."
        )
    rows, labels = _maps(stacker, init["maps"], caller="init['maps']")
    columns = stacker.flat_signals(init["signals"], component=labels, caller="init['signals']")
    _refuse_negative(columns, caller="init['signals']", what="signals")
    return rows, labels, columns


def _maps(stacker: Stacker, maps: Any, *, caller: str) -> tuple[Array, list[Any]]:
    if not isinstance(maps, xr.DataArray) or "component" not in maps.dims:
        raise TypeError(
            f"{caller} must be a DataArray of maps with the dimension 'component'. For one map: "
            "map.expand_dims(component=[0])."
        )
    rows = stacker.flat_maps(maps, caller=caller)
    _refuse_negative(rows, caller=caller)
    return rows, checks.component_labels(maps, caller=caller)


def _refuse_negative(values: Array, *, caller: str, what: str = "maps") -> None:
    if (values < 0).any():
        raise ValueError(
            f"{caller} must be non-negative; {int((values < 0).sum())} of {values.size} values are "
            f"negative (minimum {values.min():g}). Clip them: {what}.clip(min=0)."
        )


def _less_held(warm: tuple[Array, list[Any], Any], held: list[Any]) -> tuple[Array, list[Any], Any]:
    """Leave out of a warm start what is held under the same label."""
    keep = [place for place, label in enumerate(warm[1]) if label not in held]
    return warm[0][keep], [warm[1][place] for place in keep], None


def _labelled_on(labels: list[Any], n_components: int) -> Array:
    """Return the labels given, and after them new ones."""
    # Where labels are words, so are new ones: a coordinate is of one type.
    whole = all(isinstance(label, int) for label in labels)
    first = max(labels, default=-1) + 1 if whole else len(labels)
    new: list[Any] = list(range(first, first + n_components - len(labels)))
    return np.array([*labels, *(new if whole else map(str, new))])
