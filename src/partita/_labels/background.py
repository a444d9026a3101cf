"""The mean image of a recording, kept as a coordinate by what takes the mean away.

Of a recording whose mean is gone nothing shows the anatomy any more, so the first function that
takes it leaves it as the coordinate `background` over the features, and maps carry it. It is a
picture and no label: nothing is matched by it.
"""

from __future__ import annotations

from typing import Any

import xarray as xr

from partita._labels import checks
from partita._labels.attrs import long_name_with

BACKGROUND = "background"


def lacks_background(recording: xr.DataArray) -> bool:
    """Tell whether a recording has a place for a background: features, and none of that name."""
    return recording.ndim > 1 and BACKGROUND not in {*recording.dims, *recording.coords}


def leave_background(
    result: xr.DataArray, mean: Any, *, of: xr.DataArray, sample_dim: str
) -> xr.DataArray:
    """Return a result with the mean over samples of what it was made of as its background.

    Parameters
    ----------
    result : xarray.DataArray, the dimensions of `of`
        Its mean is gone.
    mean : numpy.ndarray or dask.array.Array, (*features)
        In the order of the features of `of`.
    of : xarray.DataArray
        The recording with its mean. Where it `lacks_background` not, the result is returned as it
        is: only the first mean shows the anatomy.
    sample_dim : str
        The dimension of samples.
    """
    if not lacks_background(of):
        return result
    name = long_name_with(of, f"mean over {sample_dim}", alone=f"Mean over {sample_dim}")
    about = {key: of.attrs[key] for key in ("units",) if key in of.attrs} | {"long_name": name}
    features = tuple(dim for dim in of.dims if dim != sample_dim)
    values = mean.astype(checks.promote(of.dtype), copy=False)
    return result.assign_coords({BACKGROUND: xr.Variable(features, values, about)})


def is_background(name: object, coordinate: xr.DataArray, *, sample_dim: str) -> bool:
    """Tell whether a coordinate is a background: numbers over features, of that name."""
    return bool(
        name == BACKGROUND
        and coordinate.dims
        and sample_dim not in coordinate.dims
        and coordinate.dtype.kind in "iuf"
    )
