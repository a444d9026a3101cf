"""Several recordings of the same samples as one matrix, their features side by side, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse
import xarray as xr

from partita._labels.grid import same_grid
from partita._labels.stack import Stacker

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Joined:
    """The geometry of several recordings that share their samples.

    Attributes
    ----------
    stackers : dict
        That of each recording, by its name, all worked on in one type of number.
    """

    stackers: dict[Any, Stacker]

    @classmethod
    def of(
        cls,
        recordings: Mapping[Any, xr.DataArray],
        *,
        sample_dim: str = "time",
        masks: Mapping[Any, xr.DataArray] | None = None,
        caller: str,
    ) -> Joined:
        """Return the geometry of recordings that `checks.require_recording` let pass.

        Parameters
        ----------
        recordings : mapping of xarray.DataArray
            By name; each with features of its own.
        sample_dim : str
            The dimension of samples, which all have.
        masks : mapping of xarray.DataArray of bool, optional
            For some of them, by the same names.
        caller : str
            Who asks, for the message.

        Raises
        ------
        TypeError, ValueError
            If there is none, their samples differ, or a mask does not fit.
        """
        if not recordings:
            raise ValueError(f"{caller} needs at least one recording, and was given none.")
        masks = masks or {}
        own = {
            name: Stacker.of(recording, sample_dim=sample_dim, mask=masks.get(name))
            for name, recording in recordings.items()
        }
        _refuse_other_samples(recordings, sample_dim, caller=caller)
        dtype = np.result_type(*[stacker.dtype for stacker in own.values()])
        return cls({name: replace(stacker, dtype=dtype) for name, stacker in own.items()})

    @property
    def n_features(self) -> int:
        """Columns of the matrix, those of all recordings."""
        return sum(stacker.n_features for stacker in self.stackers.values())

    @cached_property
    def _places(self) -> dict[Any, slice]:
        ends = np.cumsum([stacker.n_features for stacker in self.stackers.values()])
        starts = np.concatenate([[0], ends[:-1]])
        return {
            name: slice(int(a), int(b))
            for name, a, b in zip(self.stackers, starts, ends, strict=True)
        }

    def matrix(self, recordings: Mapping[Any, xr.DataArray]) -> Any:
        """Return the values of all as (n_samples, n_features); sparse where all are."""
        parts = [stacker.matrix(recordings[name]) for name, stacker in self.stackers.items()]
        if all(scipy.sparse.issparse(part) for part in parts):
            return scipy.sparse.hstack(parts, format="csr")
        return np.hstack([p if isinstance(p, np.ndarray) else p.toarray() for p in parts])

    def split(self, rows: Array) -> dict[Any, Array]:
        """Return rows (..., n_features) by recording."""
        return {name: rows[..., place] for name, place in self._places.items()}

    def maps(self, rows: Array, **leading: Any) -> dict[Any, xr.DataArray]:
        """Return rows (*leading, n_features) as the maps of each recording (see `Stacker.maps`)."""
        parts = self.split(rows)
        return {name: s.maps(parts[name], **leading) for name, s in self.stackers.items()}

    def signals(self, columns: Array, *, component: Any) -> xr.DataArray:
        """Return columns (n_samples, n_components) as signals, with the first's sample labels."""
        return next(iter(self.stackers.values())).signals(columns, component=component)

    def flat_maps(self, maps: Mapping[Any, xr.DataArray], *, caller: str) -> Array:
        """Return the maps of all recordings as rows (n_components, n_features).

        Raises
        ------
        ValueError
            If one is missing, or lies on another grid than its recording.
        """
        missing = [name for name in self.stackers if name not in maps]
        if missing:
            raise ValueError(f"{caller} has no maps for the recordings {missing}.")
        parts = [
            stacker.flat_maps(maps[name], caller=f"{caller}[{name!r}]")
            for name, stacker in self.stackers.items()
        ]
        return np.concatenate(parts, axis=1)

    def recordings(self, matrix: Array) -> dict[Any, xr.DataArray]:
        """Return a matrix (n_samples, n_features) as recordings by name, NaN outside."""
        parts = self.split(matrix)
        return {name: s.recording(parts[name]) for name, s in self.stackers.items()}


def _refuse_other_samples(
    recordings: Mapping[Any, xr.DataArray], sample_dim: str, *, caller: str
) -> None:
    first_name, first = next(iter(recordings.items()))
    for name, other in recordings.items():
        same = first.sizes[sample_dim] == other.sizes[sample_dim]
        if same and sample_dim in first.coords and sample_dim in other.coords:
            same = same_grid(other[sample_dim], first[sample_dim])
        if not same:
            raise ValueError(
                f"{caller} needs recordings of the same samples; {name!r} and {first_name!r} "
                f"differ along {sample_dim!r} ({other.sizes[sample_dim]} and "
                f"{first.sizes[sample_dim]} of them). Select the common ones first: "
                "xarray.align(a, b, join='inner', exclude=...)."
            )
