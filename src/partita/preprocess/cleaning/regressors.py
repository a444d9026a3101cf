"""Confounds as a matrix: whatever table they come in, matched with a recording's samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import xarray as xr

from partita._labels import align

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped,unused-ignore]

    Table: TypeAlias = xr.DataArray | xr.Dataset | pd.DataFrame | pd.Series
    Confounds: TypeAlias = Table | Sequence[Table]

_COLUMN = "confound"


def design_of(confounds: Any, recording: xr.DataArray, *, sample_dim: str, caller: str) -> Any:
    """Return confounds as columns over the samples of a recording.

    Parameters
    ----------
    confounds : xarray.DataArray, xarray.Dataset, pandas.DataFrame, pandas.Series, or several
        One column or several, or a list of such; matched by the labels of `sample_dim` where both
        have them, else by position.
    recording : xarray.DataArray
        Whose samples count.
    sample_dim, caller : str
        The dimension of samples, and who asks.

    Returns
    -------
    numpy.ndarray, (n_samples, n_confounds), float64

    Raises
    ------
    TypeError
        If they are no labelled table of numbers.
    ValueError
        If there are none, they belong to other samples, or are not finite.
    """
    arrays = _as_arrays(confounds, sample_dim=sample_dim, caller=caller)
    tables = [_as_table(array, sample_dim=sample_dim, caller=caller) for array in arrays]
    if not any(table.sizes[_COLUMN] for table in tables):
        raise ValueError(
            f"{caller} was given confounds without any column. Check the names that chose them."
        )
    what = "The table of confounds"
    found = [match(table, recording, sample_dim=sample_dim, what=what) for table in tables]
    design = np.concatenate([table.values for table in found], axis=1)
    names = [name for table in tables for name in table[_COLUMN].values]
    _refuse_not_finite(design, names, caller=caller)
    return design


def match(
    table: xr.DataArray, recording: xr.DataArray, *, sample_dim: str, what: str
) -> xr.DataArray:
    """Return the rows of a table (sample, column) that belong to a recording's samples.

    Raises
    ------
    ValueError
        If the samples are others.
    """
    if sample_dim in table.coords and sample_dim in recording.coords:
        over = recording[sample_dim].reset_coords(drop=True)
        return align.to_grid(table, over, besides=(_COLUMN,), caller=what)
    if table.sizes[sample_dim] != recording.sizes[sample_dim]:
        raise ValueError(
            f"{what} has {table.sizes[sample_dim]} samples along {sample_dim!r}, and the "
            f"recording {recording.sizes[sample_dim]}: it belongs to another recording, or "
            "volumes were left out since. Labelled confounds are matched: "
            f"assign_coords({sample_dim}=...)."
        )
    return table


def _as_arrays(confounds: Any, *, sample_dim: str, caller: str) -> list[xr.DataArray]:
    import pandas as pd  # type: ignore[import-untyped,unused-ignore]

    if isinstance(confounds, pd.Series):
        confounds = confounds.to_frame("confound" if confounds.name is None else confounds.name)
    if isinstance(confounds, pd.DataFrame):
        return [_from_frame(confounds, sample_dim=sample_dim, caller=caller)]
    if isinstance(confounds, xr.Dataset):
        return [confounds[name] for name in confounds.data_vars]
    if isinstance(confounds, xr.DataArray):
        return [confounds]
    if isinstance(confounds, list | tuple):
        parts = [_as_arrays(part, sample_dim=sample_dim, caller=caller) for part in confounds]
        return [array for part in parts for array in part]
    raise TypeError(
        f"{caller} needs confounds as a DataArray, a Dataset or a pandas DataFrame, or a list of "
        f"these, and was given {type(confounds).__name__}. Wrap them: "
        f"xr.DataArray(values, dims=({sample_dim!r}, 'confound'))."
    )


def _from_frame(frame: Any, *, sample_dim: str, caller: str) -> xr.DataArray:
    words = [str(name) for name, kind in frame.dtypes.items() if kind.kind not in "iufb"]
    if words:
        raise TypeError(
            f"{caller} needs confounds of numbers; the columns {', '.join(words[:5])} hold none. "
            "Choose columns: table[['trans_x', 'trans_y']]."
        )
    coords: dict[str, Any] = {_COLUMN: [str(name) for name in frame.columns]}
    # Rows that merely count from 0 say nothing of time.
    if type(frame.index).__name__ != "RangeIndex":
        zoned = hasattr(frame.index.dtype, "tz")
        coords[sample_dim] = frame.index if zoned else frame.index.values
    return xr.DataArray(frame.to_numpy(float), dims=(sample_dim, _COLUMN), coords=coords)


def _as_table(array: xr.DataArray, *, sample_dim: str, caller: str) -> xr.DataArray:
    name = "confound" if array.name is None else str(array.name)
    if array.dtype.kind not in "iufb":
        raise TypeError(
            f"{caller} needs confounds of numbers; {name!r} holds {array.dtype}."
            " Choose variables: motion[['translation', 'rotation']]."
        )
    if sample_dim not in array.dims:
        raise ValueError(
            f"{caller} needs confounds over {sample_dim!r}; {name!r} has the dimensions "
            f"{tuple(map(str, array.dims))}. Choose variables: motion[['translation', 'rotation']]."
        )
    others = [dim for dim in array.dims if dim != sample_dim]
    values = array.transpose(sample_dim, *others).values
    flat = values.reshape(len(values), -1).astype(float)
    if others == [_COLUMN] and _COLUMN in array.coords:
        names = [str(label) for label in array[_COLUMN].values]
    else:
        names = [name] if flat.shape[1] == 1 else [f"{name}[{i}]" for i in range(flat.shape[1])]
    coords: dict[str, Any] = {_COLUMN: names}
    if sample_dim in array.coords:
        coords[sample_dim] = array[sample_dim].variable
    return xr.DataArray(flat, dims=(sample_dim, _COLUMN), coords=coords)


def _refuse_not_finite(design: np.ndarray, names: list[Any], *, caller: str) -> None:
    bad = ~np.isfinite(design)
    if not bad.any():
        return
    column = int(np.argmax(bad.any(axis=0)))
    row = int(np.argmax(bad[:, column]))
    raise ValueError(
        f"{caller} needs finite confounds; {int(bad.sum())} values are not, the first in "
        f"{str(names[column])!r} at sample {row}. The first rows of derivatives are often empty: "
        "confounds.fillna(0)."
    )
