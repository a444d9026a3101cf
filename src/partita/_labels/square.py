"""Weights between the nodes of a network, and what is found of them: one axis of labels, twice."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from partita._labels import align, checks
from partita._labels.stack import Stacker

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Square:
    """The geometry of an array over two dimensions that name the same nodes.

    Attributes
    ----------
    rows : Stacker
        Of the array, the first of the two dimensions its samples.
    dim, other : str
        The two dimensions; `dim` is the one that maps have.
    """

    rows: Stacker
    dim: str
    other: str

    @classmethod
    def of(cls, array: xr.DataArray, *, dim: str, other: str, caller: str) -> Square:
        """Return the geometry of an array (dim, other), in any order.

        Raises
        ------
        ValueError
            If it has other dimensions, or a node has a label along one of them only.
        """
        if set(array.dims) != {dim, other}:
            raise ValueError(
                f"{caller} needs weights between nodes, over {dim!r} and {other!r}, and was given "
                f"{tuple(array.dims)}."
            )
        square = cls(Stacker.of(array, sample_dim=dim), dim, other)
        square.aligned(array, caller=caller)
        return square

    def aligned(self, array: xr.DataArray, *, caller: str) -> xr.DataArray:
        """Return the array (dim, other), its nodes in one order along both.

        Raises
        ------
        ValueError
            If the labels of the two dimensions differ, or only one has any.
        """
        n, m = array.sizes[self.dim], array.sizes[self.other]
        if n != m or (self.dim in array.coords) != (self.other in array.coords):
            raise ValueError(
                f"{caller} needs the same nodes along {self.dim!r} and {self.other!r}; this array "
                f"has {n} and {m} of them, with labels along "
                f"{[d for d in (self.dim, self.other) if d in array.coords]}. Give both the same: "
                f"array.assign_coords({self.other}=array[{self.dim!r}].values)."
            )
        ordered = array.transpose(self.dim, self.other)
        if self.dim not in array.coords:
            return ordered
        nodes = array[self.dim].rename({self.dim: self.other})
        template = xr.DataArray(
            np.broadcast_to(np.True_, (n,)), {self.other: nodes.variable}, (self.other,)
        )
        besides = (self.dim,)
        return align.to_grid(ordered, template, besides=besides, caller=f"{caller}: {self.other}")

    def matrix(self, array: xr.DataArray, *, caller: str) -> Any:
        """Return the values as (n_nodes, n_nodes), floating; sparse ones stay so."""
        return self.rows.matrix(self.aligned(array, caller=caller))

    def maps(self, rows: Array, *, component: Any) -> xr.DataArray:
        """Return rows (n_components, n_nodes) as maps (component, dim)."""
        coords: dict[Hashable, Any] = {
            name: coord
            for name, coord in self.rows.coords.coords.items()
            if self.other not in coord.dims and (name == self.dim or name not in self.rows.taken)
        }
        labels = {**coords, "component": component}
        return xr.DataArray(rows, dims=("component", self.dim), coords=labels)

    def flat_maps(self, maps: xr.DataArray, *, caller: str) -> Array:
        """Return maps (component, dim) as rows, matched by label (ValueError on other nodes)."""
        template = self.maps(np.zeros((1, self.rows.n_samples)), component=[0])[0].drop_vars(
            "component"
        )
        on_grid = align.to_grid(maps, template, besides=("component",), caller=caller)
        values = on_grid.transpose("component", self.dim).values
        return np.asarray(values, checks.promote(values.dtype))

    def array(self, matrix: Array) -> xr.DataArray:
        """Return a matrix (n_nodes, n_nodes) as an array in the order of the one given."""
        return self.rows.recording(matrix)
