"""Positive and negative parts: what makes a signed recording fit for non-negative methods."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import xarray as xr

from partita._labels import checks
from partita._labels.attrs import append_history
from partita.preprocess.voxels.cutting import BLOCK

SIGNS = ("positive", "negative")


def split_sign(recording: xr.DataArray, *, sample_dim: str = "time") -> xr.DataArray:
    """Split a recording into its positive and its negative part, both non-negative.

    ``max(x, 0)`` and ``max(-x, 0)`` lie side by side on a new dimension `sign`, so that NMF can
    find parts that rise and parts that fall. Positive less negative is the recording, exactly:
    see `merge_sign`. NaN is NaN in both.

    Parameters
    ----------
    recording : xarray.DataArray, (time, *features) in any order
        Signed values in any units, such as z-scores. Integers of up to 16 bits are promoted to
        float32, longer ones to float64.
    sample_dim : str
        The dimension of samples; it comes first in the result.

    Returns
    -------
    xarray.DataArray, (time, sign, *features)
        Non-negative values in the units of `recording`, with coordinate `sign` ("positive",
        "negative"); lazy if `recording` is, both signs in the same block.

    Raises
    ------
    TypeError
        If `recording` is not a DataArray of signed real numbers.
    ValueError
        If there is no sample dimension, or the signs have been split already.

    Examples
    --------
    >>> import partita as pt
    >>> import xarray as xr
    >>> recording = xr.DataArray([[1.0, -2.0], [0.0, 3.0]], dims=("time", "neuron"))
    >>> signed = pt.preprocess.split_sign(recording)
    >>> signed.dims
    ('time', 'sign', 'neuron')
    >>> signed.sel(sign="negative").values
    array([[0., 2.],
           [0., 0.]])
    """
    checks.require_recording(recording, sample_dim=sample_dim, caller="split_sign")
    if "sign" in recording.dims or "sign" in recording.coords:
        raise ValueError(
            "split_sign was given a recording that has 'sign' already: its signs have been split. "
            "Use it as it is, or put the signs together first with merge_sign(recording)."
        )
    if recording.dtype.kind == "u":
        raise TypeError(
            f"split_sign needs signed values, and was given {recording.dtype}, which cannot be "
            "negative. Use the recording as it is, or standardise it first with zscore(recording)."
        )
    checks.require_dense(recording, caller="split_sign")
    ordered = recording.transpose(sample_dim, ...)
    dtype = checks.promote(recording.dtype)
    result = xr.DataArray(
        _split(ordered.data, dtype),
        dims=(ordered.dims[0], "sign", *ordered.dims[1:]),
        coords=ordered.coords,
        attrs=recording.attrs,
        name=recording.name,
    )
    result = result.assign_coords(sign=("sign", list(SIGNS), {"long_name": "Sign"}))
    return append_history(result, "split_sign()")


def merge_sign(array: xr.DataArray) -> xr.DataArray:
    """Put positive and negative parts together again: positive less negative.

    The inverse of `split_sign`, for recordings and for maps.

    Parameters
    ----------
    array : xarray.DataArray, with dimension sign at any place
        Coordinate `sign` holds "positive" and "negative" in either order. Integers of up to 16
        bits are promoted to float32, longer ones to float64.

    Returns
    -------
    xarray.DataArray, without the dimension sign
        Signed values in the units of `array`; lazy if `array` is.

    Raises
    ------
    TypeError
        If `array` is not a DataArray of real numbers.
    ValueError
        If `sign` is missing, or its labels are not "positive" and "negative".

    Examples
    --------
    >>> import partita as pt
    >>> import xarray as xr
    >>> recording = xr.DataArray([[1.0, -2.0], [0.0, 3.0]], dims=("time", "neuron"))
    >>> signed = pt.preprocess.split_sign(recording)
    >>> pt.preprocess.merge_sign(signed).equals(recording)
    True
    """
    checks.require_array(array, caller="merge_sign")
    if "sign" not in array.dims:
        raise ValueError(
            f"merge_sign needs the dimension 'sign', and was given {tuple(map(str, array.dims))}. "
            "It is made by split_sign(recording), and NMF keeps it on the maps."
        )
    labels = [str(label) for label in array["sign"].values]
    if sorted(labels) != sorted(SIGNS):
        raise ValueError(
            f"merge_sign needs 'sign' to be labelled {list(SIGNS)} in either order, and was given "
            f"{labels}. Keep both signs, or label them: "
            "array.assign_coords(sign=['positive', 'negative'])."
        )
    dtype = checks.promote(array.dtype)
    positive, negative = (
        array.isel(sign=labels.index(sign), drop=True).astype(dtype, copy=False) for sign in SIGNS
    )
    result = positive.copy(deep=False, data=positive.data - negative.data)
    return append_history(result, "merge_sign()")


def rectify(recording: xr.DataArray) -> xr.DataArray:
    """Set negative values to 0.

    Parameters
    ----------
    recording : xarray.DataArray, any dimensions
        Any real values in any units. Integers of up to 16 bits are promoted to float32, longer
        ones to float64.

    Returns
    -------
    xarray.DataArray, same dimensions and coordinates as `recording`
        Non-negative values in the units of `recording`, NaN where it is NaN; lazy if it is.

    Raises
    ------
    TypeError
        If `recording` is not a DataArray of real numbers.

    Examples
    --------
    >>> import partita as pt
    >>> import xarray as xr
    >>> recording = xr.DataArray([[1.0, -2.0], [0.0, 3.0]], dims=("time", "neuron"))
    >>> pt.preprocess.rectify(recording).values
    array([[1., 0.],
           [0., 3.]])
    """
    checks.require_array(recording, caller="rectify")
    checks.require_dense(recording, caller="rectify")
    dtype = checks.promote(recording.dtype)
    if recording.chunks is None:
        result = recording.copy(deep=False, data=_rectify_block(recording.data, dtype))
    else:
        result = recording.copy(
            deep=False, data=recording.data.map_blocks(_rectify_block, dtype, dtype=dtype)
        )
    return append_history(result, "rectify()")


def _split(values: Any, dtype: np.dtype[Any]) -> Any:
    if isinstance(values, np.ndarray):
        return _split_block(values, dtype)
    chunks = (values.chunks[0], (2,), *values.chunks[1:])
    meta = np.empty((0,) * (values.ndim + 1), dtype=dtype)
    return values.map_blocks(_split_block, dtype, new_axis=1, chunks=chunks, dtype=dtype, meta=meta)


def _split_block(values: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    result = np.empty((values.shape[0], 2, *values.shape[1:]), dtype=dtype)
    rows = max(1, BLOCK // max(1, math.prod(values.shape[1:])))
    for start in range(0, values.shape[0], rows):
        block = values[start : start + rows]
        positive, negative = (result[start : start + rows, i] for i in (0, 1))
        np.maximum(block, 0, out=positive)
        np.minimum(block, 0, out=negative)
        # The absolute value also makes 0 of -0, which either of the two may be.
        np.abs(positive, out=positive)
        np.abs(negative, out=negative)
    return result


def _rectify_block(values: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    result: np.ndarray = np.maximum(values, 0, dtype=dtype)
    np.abs(result, out=result)
    return result
