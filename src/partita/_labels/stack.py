"""A recording as a matrix, and factors as labelled arrays: there and back."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from partita._labels import align, checks
from partita._labels.layout import Layout
from partita._labels.placement import PLACES

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, kw_only=True)
class Stacker(Layout):
    """The geometry of one recording: how it becomes a matrix, and a factor a labelled array.

    Attributes
    ----------
    dtype : numpy.dtype
        float32 or float64: what the recording is worked on in.
    name : str or None
        The recording's name.
    attrs : dict
        The recording's attributes.
    """

    dtype: np.dtype[Any]
    name: Hashable
    attrs: dict[str, Any]

    @classmethod
    def of(
        cls,
        recording: xr.DataArray,
        *,
        sample_dim: str = "time",
        mask: xr.DataArray | None = None,
        taken: tuple[str, ...] = ("component",),
    ) -> Stacker:
        """Return the stacker of a recording that `checks.require_recording` let pass.

        Parameters
        ----------
        recording : xarray.DataArray, any order of dimensions
            Values are not looked at: see `without` for features that hold nothing.
        sample_dim : str
            The dimension of samples.
        mask : xarray.DataArray of bool, (some feature dimensions), optional
            True inside; matched with the recording by label.
        taken : tuple of str
            Names that the factors have of their own.

        Raises
        ------
        TypeError, ValueError
            If the mask is not boolean, lies on another grid, or is empty.
        """
        dims = tuple(str(dim) for dim in recording.dims)
        stacker = cls(
            dims=dims,
            sample_dim=sample_dim,
            sizes={str(dim): size for dim, size in recording.sizes.items()},
            coords=recording.coords.to_dataset().compute(),
            inside=None,
            dtype=checks.promote(recording.dtype),
            name=recording.name,
            attrs=dict(recording.attrs),
            taken=taken,
        )
        return stacker if mask is None else stacker._masked(mask)

    def _masked(self, mask: xr.DataArray) -> Stacker:
        over = align.mask_over(mask, self.feature_template(), caller="mask")
        if not over.any():
            raise ValueError(
                "The mask is empty: no voxel is inside. Lower the threshold that made it, or "
                "leave mask=None to use every voxel."
            )
        return replace(self, inside=None if over.all() else over.values.ravel())

    # Recordings to matrices

    def matrix(self, recording: xr.DataArray) -> Any:
        """Return the values as (n_samples, n_features), a view where layout and dtype allow.

        Parameters
        ----------
        recording : xarray.DataArray
            The dimensions of this stacker's recording, in any order (see `aligned`).

        Returns
        -------
        numpy.ndarray or scipy.sparse.csr_matrix
            Floating; integers are promoted.
        """
        ordered = recording.transpose(self.sample_dim, *self.feature_dims).data
        flat = ordered.reshape((ordered.shape[0], self.n_places))
        if not isinstance(flat, np.ndarray):
            flat = flat.asformat("coo").tocsr()
        flat = flat.astype(self.dtype, copy=False)
        return flat if self.inside is None else _columns(flat, self.inside)

    def blocks(self, recording: xr.DataArray) -> Any:
        """Return the lazy values of a recording, samples first, the features as they are."""
        return recording.transpose(self.sample_dim, *self.feature_dims).data

    def without(self, matrix: Any, empty: Array) -> tuple[Stacker, Any]:
        """Leave out the columns marked in `empty`; return the smaller stacker and matrix.

        Parameters
        ----------
        matrix : array, (n_samples, n_features)
            What `matrix` returned.
        empty : numpy.ndarray of bool, (n_features,)
            Columns to leave out, such as voxels that are NaN at all times.

        Raises
        ------
        ValueError
            If nothing is left.
        """
        return self.less(empty), _columns(matrix, ~empty)

    def aligned(self, recording: xr.DataArray, *, caller: str) -> xr.DataArray:
        """Return another recording on this grid: matched by label, or refused.

        Raises
        ------
        ValueError
            If dimensions differ, or a position of this grid is not found in the other.
        """
        return align.to_grid(
            recording, self.feature_template(), besides=(self.sample_dim,), caller=caller
        )

    def at(self, recording: xr.DataArray, *, caller: str) -> tuple[Stacker, xr.DataArray]:
        """Return the stacker of another recording on this grid, and that recording aligned.

        The places, and which of them are inside, are these; the samples are the other's.

        Raises
        ------
        ValueError
            As `aligned`.
        """
        aligned = self.aligned(recording, caller=caller).transpose(*self.dims)
        places = {
            dim: self.coords[dim].variable
            for dim in self.feature_dims
            if dim in self.coords and not _has_levels(self.coords, dim)
        }
        aligned = aligned.assign_coords(places)
        own = Stacker.of(aligned, sample_dim=self.sample_dim, taken=self.taken)
        return replace(own, inside=self.inside, dtype=self.dtype), aligned

    def weights(self, weights: xr.DataArray) -> Array | tuple[Array, Array]:
        """Return weights of the error as a matrix, or as (samples, features) where one suffices.

        Parameters
        ----------
        weights : xarray.DataArray, dimensions among the recording's
            Non-negative; it broadcasts against the recording, matched by label.
        """
        over = align.weights_over(
            weights, self.coords, sizes=self.sizes, sample_dim=self.sample_dim
        )
        samples, features = (
            np.ones(self.n_samples, self.dtype),
            np.ones(self.n_features, self.dtype),
        )
        if over.dims == (self.sample_dim,):
            return over.values.astype(self.dtype), features
        if self.sample_dim not in over.dims:
            full = over.broadcast_like(self.feature_template()).transpose(*self.feature_dims)
            flat = full.values.ravel().astype(self.dtype)
            return samples, flat if self.inside is None else flat[self.inside]
        missing = {dim: size for dim, size in self.sizes.items() if dim not in over.dims}
        return np.asarray(self.matrix(over.expand_dims(missing)))

    # Factors to labelled arrays

    def maps(self, rows: Array, **leading: Any) -> xr.DataArray:
        """Return rows (*leading, n_features) as maps (*leading, *features), NaN outside.

        Parameters
        ----------
        rows : numpy.ndarray, (n_components, ..., n_features)
            What the maps hold inside.
        **leading : array, xarray.Variable or None
            The dimensions before the features, in their order, with their labels (None where there
            are none): ``component=labels``, ``component=labels, lag=seconds``.
        """
        coords = {dim: labels for dim, labels in leading.items() if labels is not None}
        return self._features(rows, tuple(leading), coords)

    def feature_map(self, row: Array) -> xr.DataArray:
        """Return one row (n_features,) as a map over the features, NaN outside."""
        return self._features(row, (), {})

    def _features(
        self, rows: Array, leading: tuple[str, ...], extra: dict[Any, Any]
    ) -> xr.DataArray:
        full = self._scattered(rows).reshape(*rows.shape[:-1], *self._feature_shape)
        coords: dict[Hashable, Any] = {**self._coords_over(self.feature_dims), **extra}
        return xr.DataArray(full, dims=(*leading, *self.feature_dims), coords=coords)

    def signals(
        self, columns: Array, *, component: Any, like: xr.DataArray | None = None
    ) -> xr.DataArray:
        """Return columns (n_samples, n_components) as signals (sample, component).

        Parameters
        ----------
        columns : numpy.ndarray, (n_samples, n_components)
            One column a component.
        component : numpy.ndarray or xarray.Variable, (n_components,)
            The labels of the components.
        like : xarray.DataArray, optional
            The recording whose sample coordinates they carry; by default the stacker's own.
        """
        if like is None:
            coords = self._coords_over((self.sample_dim,))
        else:
            coords = self._carried(like.coords, (self.sample_dim,))
        coords = {**coords, "component": component}
        return xr.DataArray(columns, dims=(self.sample_dim, "component"), coords=coords)

    def flat_maps(
        self, maps: xr.DataArray, *, caller: str, leading: tuple[str, ...] = ("component",)
    ) -> Array:
        """Return maps (*leading, *features) as rows (*leading, n_features), matched by label.

        Raises
        ------
        ValueError
            If they lie on another grid, or are missing inside the mask.
        """
        on_grid = align.to_grid(maps, self.feature_template(), besides=leading, caller=caller)
        ordered = on_grid.transpose(*leading, *self.feature_dims).values
        rows = ordered.reshape(*ordered.shape[: len(leading)], -1).astype(self.dtype)
        rows = rows if self.inside is None else rows[..., self.inside]
        if not np.isfinite(rows).all():
            raise ValueError(
                f"{caller} must be finite inside the mask; {int((~np.isfinite(rows)).sum())} of "
                f"{rows.size} values are not. Fill them: maps.fillna(0)."
            )
        return rows

    def flat_signals(self, signals: xr.DataArray, *, component: list[Any], caller: str) -> Array:
        """Return signals (sample, component) as columns, in the order of the labels given.

        Raises
        ------
        ValueError
            If components are missing, samples are not this recording's, or values are not finite.
        """
        if "component" in signals.coords:
            labels = checks.component_labels(signals, caller=caller)
            missing = [c for c in component if c not in labels]
            if missing:
                raise ValueError(f"{caller} has no signals for the components {missing}.")
            signals = signals.isel(component=[labels.index(c) for c in component])
        if not self._same_samples(signals.isel(component=0)):
            raise ValueError(
                f"{caller} has other samples along {self.sample_dim!r} than the recording. Give "
                "the maps alone: init=dataset['maps']; the signals are then solved for."
            )
        columns = signals.transpose(self.sample_dim, "component").values.astype(self.dtype)
        if not np.isfinite(columns).all():
            raise ValueError(f"{caller} must be finite. Give the maps alone: init=dataset['maps'].")
        return columns

    def recording(self, matrix: Any, *, like: xr.DataArray | None = None) -> xr.DataArray:
        """Return a matrix (n_samples, n_features) as a recording, NaN outside.

        Parameters
        ----------
        matrix : numpy.ndarray or dask.array.Array, (n_samples, n_features)
            Values inside; lazy ones stay so, in blocks of samples.
        like : xarray.DataArray, (sample, component), optional
            Signals whose sample coordinates the recording gets; coordinates over samples and
            features alike return only where its samples are the fitted ones. Where they say that
            they are of another recording, so does what they make: what holds for the fitted one
            as a whole, its attributes and its coordinates that are over nothing, is not carried.
        """
        coords, about = dict(self.coords.coords), self.attrs
        if like is not None:
            coords = self._coords_like(like)
            about = self.attrs if self._is_own(like) else self._about_other(like)
        dims = (self.sample_dim, *self.feature_dims)
        full = self._scattered(matrix).reshape(matrix.shape[0], *self._feature_shape)
        array = xr.DataArray(full, dims=dims, coords=coords, attrs=about)
        array.name = self.name  # given to xarray before, None would become dask's
        return array.transpose(*self.dims, transpose_coords=False)

    def _coords_like(self, like: xr.DataArray) -> dict[Hashable, Any]:
        theirs = {
            name: coord
            for name, coord in self._carried(like.coords, (self.sample_dim,)).items()
            if coord.dims or name not in PLACES
        }
        own, ours = self._is_own(like), {}
        for name, coord in self.coords.coords.items():
            hidden = name in self.taken and name not in self.dims
            of_samples = set(coord.dims) == {self.sample_dim}
            of_all = not coord.dims and name not in PLACES
            if of_all or self.sample_dim in coord.dims:
                carried = own and (hidden or not of_samples)
            else:
                carried = True
            if carried:
                ours[name] = coord
        return {**ours, **theirs}

    def _is_own(self, like: xr.DataArray) -> bool:
        """Tell whether signals are of the fitted samples, as far as their labels say."""
        return self._same_samples(like) and all(
            not (name in like.coords and not like.coords[name].dims)
            or coord.variable.equals(like.coords[name].variable)
            for name, coord in self.coords.coords.items()
            if not coord.dims and name not in PLACES
        )

    def _about_other(self, like: xr.DataArray) -> dict[Any, Any]:
        named = {key: self.attrs[key] for key in ("long_name",) if key in self.attrs}
        return named | {key: like.attrs[key] for key in ("units", "history") if key in like.attrs}

    def _scattered(self, rows: Any) -> Any:
        if self.inside is None:
            return rows
        if not isinstance(rows, np.ndarray):  # lazy, in blocks of samples
            chunks = (rows.chunks[0], (self.n_places,))
            return rows.map_blocks(self._scattered, dtype=rows.dtype, chunks=chunks)
        full = np.full((*rows.shape[:-1], self.n_places), np.nan, rows.dtype)
        full[..., self.inside] = rows
        return full


def _has_levels(coords: xr.Dataset, dim: str) -> bool:
    return isinstance(coords.xindexes.get(dim), xr.indexes.PandasMultiIndex)


def _columns(matrix: Any, keep: Array) -> Any:
    if isinstance(matrix, np.ndarray) and matrix.flags.f_contiguous:
        return matrix.T[keep].T
    return matrix[:, keep]
