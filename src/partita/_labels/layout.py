"""The layout of a recording: its dimensions and coordinates, and which places are looked at."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import xarray as xr

from partita._labels.grid import same_grid

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Samples and features of a recording, whose values are not known here.

    Attributes
    ----------
    dims : tuple of str
        The dimensions in the recording's own order.
    sample_dim : str
        The dimension of samples, the rows of the matrix.
    sizes : dict of str to int
        Length of each dimension.
    coords : xarray.Dataset
        Every coordinate of the recording, no variables.
    inside : numpy.ndarray of bool, (n_features,), or None
        Which features are columns of the matrix; None where all are.
    taken : tuple of str
        Names of the dimensions and coordinates that factors have of their own. A coordinate of the
        recording that bears one appears on neither factor, and returns with the recording.
    """

    dims: tuple[str, ...]
    sample_dim: str
    sizes: dict[str, int]
    coords: xr.Dataset
    inside: Array | None
    taken: tuple[str, ...] = ("component",)

    @property
    def feature_dims(self) -> tuple[str, ...]:
        """The dimensions of the features, in the recording's own order."""
        return tuple(dim for dim in self.dims if dim != self.sample_dim)

    @property
    def n_samples(self) -> int:
        """Rows of the matrix."""
        return self.sizes[self.sample_dim]

    @property
    def n_features(self) -> int:
        """Columns of the matrix."""
        return self.n_places if self.inside is None else int(self.inside.sum())

    @property
    def n_places(self) -> int:
        """Features of the recording, inside the mask and outside."""
        return int(np.prod([self.sizes[dim] for dim in self.feature_dims], dtype=np.int64))

    @property
    def _feature_shape(self) -> tuple[int, ...]:
        return tuple(self.sizes[dim] for dim in self.feature_dims)

    def feature_names(self) -> Array | None:
        """Return the texts that label the one dimension of the features, where they do.

        Returns
        -------
        numpy.ndarray of object, (n_places,), or None
            As pandas has them; None where there are several dimensions, or other labels.
        """
        dim, *others = self.feature_dims
        if others or dim not in self.coords:
            return None
        labels = self.coords[dim]
        # The first is looked at before all: of a million stacked voxels each would be a tuple.
        if not _are_texts(labels[:1].values):
            return None
        names = np.asarray(labels.values, dtype=object)
        return names if _are_texts(names) else None

    def feature_template(self) -> xr.DataArray:
        """Return an array of True over the features, with their coordinates."""
        true = np.broadcast_to(np.True_, self._feature_shape)
        return xr.DataArray(
            true, dims=self.feature_dims, coords=self._coords_over(self.feature_dims)
        )

    def inside_mask(self) -> xr.DataArray:
        """Return the mask of the features in the matrix, with their coordinates."""
        template = self.feature_template()
        if self.inside is None:
            return template.copy()
        return template.copy(deep=False, data=self.inside.reshape(self._feature_shape))

    def _coords_over(self, dims: tuple[str, ...]) -> dict[Hashable, Any]:
        return self._carried(self.coords.coords, dims)

    def _carried(self, coords: Mapping[Any, Any], dims: tuple[str, ...]) -> dict[Hashable, Any]:
        """Return the coordinates that a factor over `dims` carries."""
        return {
            name: coord
            for name, coord in coords.items()
            if set(coord.dims) <= set(dims) and (name in dims or name not in self.taken)
        }

    def less(self, empty: Array) -> Self:
        """Leave out the features marked in `empty` (ValueError if none is left)."""
        if empty.all():
            raise ValueError(
                "Every voxel inside the mask is NaN at all times: nothing is left to work on. "
                "Check the steps before, or the mask."
            )
        inside = np.ones(self.n_places, bool) if self.inside is None else self.inside.copy()
        inside[inside] = ~empty
        return replace(self, inside=inside)

    def canonical_columns(self) -> Array:
        """Return the columns in an order that no order of dimensions changes."""
        order = np.arange(self.n_places).reshape(self._feature_shape)
        if self.inside is not None:
            order = np.where(self.inside, np.cumsum(self.inside) - 1, -1).reshape(order.shape)
        by_name = sorted(range(order.ndim), key=lambda axis: self.feature_dims[axis])
        flat = order.transpose(by_name).ravel()
        return flat if self.inside is None else flat[flat >= 0]

    def place(self, row: int, column: int) -> str:
        """Return where an entry of the matrix is, in words: ``"time 1.2, y 0.5, x -1"``."""
        flat = column if self.inside is None else int(np.flatnonzero(self.inside)[column])
        where = dict(
            zip(self.feature_dims, np.unravel_index(flat, self._feature_shape), strict=True)
        )
        where = {self.sample_dim: np.intp(row), **where}
        return ", ".join(f"{dim} {self._label(dim, int(index))}" for dim, index in where.items())

    def _label(self, dim: str, index: int) -> str:
        if dim not in self.coords:
            return f"index {index}"
        value = self.coords[dim].values[index]
        return f"{value:.6g}" if isinstance(value, np.floating) else str(value)

    def _same_samples(self, like: xr.DataArray) -> bool:
        if like.sizes[self.sample_dim] != self.n_samples:
            return False
        if self.sample_dim not in self.coords or self.sample_dim not in like.coords:
            return self.sample_dim not in self.coords and self.sample_dim not in like.coords
        return same_grid(like[self.sample_dim], self.coords[self.sample_dim])


def _are_texts(labels: Any) -> bool:
    return all(isinstance(label, str) for label in labels)
