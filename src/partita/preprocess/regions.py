"""Regions of a label image in place of voxels."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
import xarray as xr

from partita._labels import align, checks
from partita._labels.attrs import append_history, describe_call
from partita.preprocess.voxels.cutting import BLOCK

Array = np.ndarray[Any, Any]

REGION = "region"


def region_means(
    recording: xr.DataArray,
    labels: xr.DataArray,
    *,
    names: Mapping[Any, str] | None = None,
    sample_dim: str = "time",
) -> xr.DataArray:
    """Average a recording over the regions of a label image.

    Sums run in float64. A voxel that is NaN in a frame takes no part in the mean of that frame, so
    voxels that are NaN at all times never do; a region without any other is NaN. A lazy recording
    stays lazy, in its own chunks of time, and nothing is computed when the function is called.

    Parameters
    ----------
    recording : xarray.DataArray, (time, *features) in any order
        Any real values in any units. Integers of up to 16 bits are promoted to float32, longer
        ones to float64.
    labels : xarray.DataArray, (some feature dimensions)
        The region of every voxel, as whole numbers or words; 0, "" and NaN lie in none. Matched
        with the recording by label. What is averaged over are its dimensions; others stay.
    names : mapping of label to str, optional
        What the regions are called: ``{1: "V1", 2: "S1"}``. Regions without a voxel may be named
        too. By default regions are called as they are labelled.
    sample_dim : str
        The dimension of samples.

    Returns
    -------
    xarray.DataArray, (time, *other features, region)
        In the units of `recording`, with its coordinates over what is left. Regions in the order
        of their labels; with `names`, these stand in the coordinate `label`. The coordinate
        `n_voxels` counts.

    Raises
    ------
    TypeError
        If `recording` is not a dense DataArray of real numbers, `labels` not one of whole numbers
        or words, or `names` no mapping.
    ValueError
        If the label image lies on another grid or is empty; if a label has no name, or two have
        the same; or if the recording has a dimension or coordinate `region` already.

    Examples
    --------
    >>> import partita as pt
    >>> import xarray as xr
    >>> recording = xr.DataArray([[1.0, 3.0, 9.0], [2.0, 4.0, 9.0]], dims=("time", "x"))
    >>> atlas = xr.DataArray([1, 1, 0], dims="x")
    >>> pt.preprocess.region_means(recording, atlas, names={1: "V1"}).sel(region="V1").values
    array([2., 3.])
    """
    checks.require_recording(recording, sample_dim=sample_dim, caller="region_means")
    checks.require_dense(recording, caller="region_means")
    if REGION in {*recording.dims, *recording.coords}:
        raise ValueError(
            "region_means makes a dimension 'region', and this recording has one already. Rename "
            "it first: recording.rename(region='before')."
        )
    regions = regions_of(labels, recording, sample_dim=sample_dim, caller="region_means")
    called = _called(regions.labels, names)
    left = [str(dim) for dim in recording.dims if dim not in regions.dims]
    values = recording.transpose(*left, *regions.dims).data
    means = _means(values, regions, checks.promote(recording.dtype))
    kept = {name: c for name, c in recording.coords.items() if set(c.dims) <= set(left)}
    result = xr.DataArray(means, dims=(*left, REGION), coords=kept, attrs=recording.attrs)
    result.name = recording.name
    result = result.assign_coords({REGION: (REGION, called, {"long_name": "Region"})})
    counts = np.bincount(regions.codes[regions.codes >= 0], minlength=len(called))
    result = result.assign_coords(n_voxels=(REGION, counts, {"long_name": "Voxels of the region"}))
    if names is not None:
        result = result.assign_coords(label=(REGION, regions.labels, {"long_name": "Label"}))
    return append_history(result, describe_call("region_means", n_regions=len(called)))


class Regions(NamedTuple):
    """The regions of a label image in the places of a recording.

    Attributes
    ----------
    dims : tuple of str
        The dimensions that are averaged over, in the recording's order.
    labels : numpy.ndarray, (n_regions,)
        In their order.
    codes : numpy.ndarray of int, (*dims)
        Which of them a voxel belongs to; -1 for none.
    """

    dims: tuple[str, ...]
    labels: Array
    codes: Array


def regions_of(labels: Any, recording: xr.DataArray, *, sample_dim: str, caller: str) -> Regions:
    """Return the regions of a label image in the places of a recording, or refuse it.

    Raises
    ------
    TypeError
        If it is no DataArray of whole numbers or words.
    ValueError
        If it lies on another grid, has other dimensions or no region.
    """
    if not isinstance(labels, xr.DataArray) or labels.dtype.kind not in "iufbUO":
        kind = f"{type(labels).__name__} of {getattr(labels, 'dtype', 'no dtype')}"
        raise TypeError(
            f"{caller} needs labels as a DataArray of whole numbers or words with the "
            f"recording's coordinates; given: {kind}. Load the label image: partita.load(path)."
        )
    features = recording.isel({sample_dim: 0}, drop=True)
    foreign = [str(dim) for dim in labels.dims if dim not in features.dims]
    if foreign or not labels.dims:
        raise ValueError(
            f"The label image has the dimensions {tuple(map(str, labels.dims))}, and needs some of "
            f"the recording's features {tuple(map(str, features.dims))}. Select: "
            f"labels.isel({(foreign or ['z'])[0]}=0)."
        )
    dims = tuple(str(dim) for dim in features.dims if dim in labels.dims)
    part = features.isel({dim: 0 for dim in features.dims if dim not in dims}, drop=True)
    placed = align.to_grid(labels, part, besides=(), caller="The label image")
    values = _whole(placed.transpose(*dims).values, caller=caller)
    found, codes = np.unique(values, return_inverse=True)
    empty = found == ("" if found.dtype.kind == "U" else 0)
    if empty.all():
        raise ValueError(
            "The label image is empty: every voxel has the label 0, or none. Check the image."
        )
    numbers = np.where(empty, -1, np.cumsum(~empty) - 1)
    return Regions(dims, found[~empty], numbers[codes].reshape(values.shape))


def _whole(values: Array, *, caller: str) -> Array:
    """Return labels as whole numbers, 0 for none, or as words, "" for none."""
    if values.dtype.kind == "O":
        words = ["" if word is None or word != word else str(word) for word in values.ravel()]
        return np.array(words, np.str_).reshape(values.shape)
    if values.dtype.kind != "f":
        return values.astype(np.int64) if values.dtype.kind == "b" else values
    filled = np.where(np.isnan(values), 0, values)
    whole = np.rint(filled)
    odd = ~(whole == filled)
    if odd.any():
        raise TypeError(
            f"{caller} needs labels of whole numbers; {int(odd.sum())} of {odd.size} are not, "
            f"such as {filled[odd][0]:g}. A label image is resampled to the nearest voxel, never "
            "between."
        )
    return whole.astype(np.int64)


def _called(labels: Array, names: Any) -> Array:
    if names is None:
        return labels
    if not isinstance(names, Mapping) and not hasattr(names, "items"):
        raise TypeError(
            f"region_means needs names as a mapping of labels to words, and was given "
            f"{type(names).__name__}. Of a list in the order of labels from 0: "
            "dict(enumerate(names))."
        )
    table = {label: str(name) for label, name in names.items()}
    missing = [label for label in labels.tolist() if label not in table]
    if missing:
        raise ValueError(
            f"region_means was given no name for {len(missing)} of {len(labels)} labels: "
            f"{', '.join(map(str, missing[:10]))}{' …' if missing[10:] else ''}. Name them, or "
            f"leave them out: labels.where(labels.isin(list(names)), 0)."
        )
    called = [table[label] for label in labels.tolist()]
    twice = sorted({name for name in called if called.count(name) > 1})
    if twice:
        raise ValueError(
            f"region_means was given the same name for several labels: {', '.join(twice[:5])}. "
            "Name the sides apart, such as 'V1 left', or give both the same label first."
        )
    return np.array(called)


def _means(values: Any, regions: Regions, dtype: np.dtype[Any]) -> Any:
    """Return means (*left, region) of values (*left, *dims)."""
    sums_of = partial(_sums_of_block, n_regions=len(regions.labels))
    if isinstance(values, np.ndarray):
        return _divide(sums_of(values, regions.codes), dtype)
    import dask.array as da

    n_left = values.ndim - len(regions.dims)
    axes, over = tuple(range(values.ndim)), tuple(range(n_left, values.ndim))
    region, kind = values.ndim, values.ndim + 1  # indices of the dimensions that are made
    parts = da.blockwise(
        partial(_of_piece, sums_of=sums_of, n_over=len(over)),
        (*axes, region, kind),
        values, axes,
        da.from_array(regions.codes, chunks=values.chunks[n_left:]), over,
        new_axes={region: len(regions.labels), kind: 2},
        adjust_chunks={axis: lambda _: 1 for axis in over},
        concatenate=True, dtype=np.float64, meta=np.empty((0,) * (values.ndim + 2)),
    )  # fmt: skip
    sums = parts.sum(axis=over)
    meta = np.empty((0,) * (n_left + 1), dtype)
    return sums.map_blocks(_divide, dtype, drop_axis=sums.ndim - 1, dtype=dtype, meta=meta)


def _of_piece(values: Array, codes: Array, *, sums_of: Any, n_over: int) -> Array:
    """Return the sums of a block, with an axis of length one for each that was summed over."""
    sums: Array = sums_of(values, codes)
    return np.expand_dims(sums, tuple(range(sums.ndim - 2, sums.ndim - 2 + n_over)))


def _sums_of_block(values: Array, codes: Array, *, n_regions: int) -> Array:
    """Return the sum over each region and how many values it is of, (*left, region, 2)."""
    left = values.shape[: values.ndim - codes.ndim]
    places = np.flatnonzero(codes >= 0)
    member = scipy.sparse.csr_array(
        (np.ones(places.size), (codes.ravel()[places], np.arange(places.size))),
        shape=(n_regions, places.size),
    )
    flat = values.reshape(-1, codes.size)
    sums = np.empty((len(flat), n_regions, 2))
    rows = max(1, BLOCK // max(1, places.size))
    for start in range(0, len(flat), rows):
        part = np.asarray(flat[start : start + rows, places], np.float64).T
        known = ~np.isnan(part)
        sums[start : start + rows, :, 0] = (member @ np.where(known, part, 0)).T
        sums[start : start + rows, :, 1] = (member @ known.astype(np.float64)).T
    return sums.reshape(*left, n_regions, 2)


def _divide(sums: Array, dtype: np.dtype[Any]) -> Array:
    with np.errstate(invalid="ignore"):
        means: Array = (sums[..., 0] / sums[..., 1]).astype(dtype)
    return means
