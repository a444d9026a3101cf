"""Every refusal of a recording is phrased here: what is wrong, what was given, what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

# Two grids are the same when their coordinates agree within this share of the spacing.
GRID_TOLERANCE = 1e-3
# Places are evenly spaced when each lies within this share of the spacing of an even grid.
EVEN_TOLERANCE = 0.01

_SECONDS_PER_UNIT = {
    "s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0,
    "ms": 1e-3, "msec": 1e-3, "millisecond": 1e-3, "milliseconds": 1e-3,
    "us": 1e-6, "µs": 1e-6, "microsecond": 1e-6, "microseconds": 1e-6,
    "min": 60.0, "minute": 60.0, "minutes": 60.0,
    "h": 3600.0, "hour": 3600.0, "hours": 3600.0,
}  # fmt: skip
# Units of samples that are numbered, as `load` does where a file says no rate.
_COUNTS = ("1", "", "frame", "frames")


def require_recording(recording: Any, *, sample_dim: str = "time", caller: str) -> None:
    """Refuse what is not a labelled recording with a sample dimension and real numbers.

    Parameters
    ----------
    recording : object
        What the user gave.
    sample_dim : str
        The name of the sample dimension.
    caller : str
        Who asks, for the message.

    Raises
    ------
    TypeError
        If it is not a DataArray, or its values are not real numbers.
    ValueError
        If the sample dimension is missing, there is nothing beside it, or it is empty; if dask
        does not know the sizes of its chunks.
    """
    require_array(recording, caller=caller)
    _refuse_unknown_chunks(recording, caller=caller)
    if sample_dim not in recording.dims:
        raise ValueError(
            f"{caller} needs the sample dimension {sample_dim!r}; this recording has "
            f"{_names(recording.dims)}. Rename the dimension of samples "
            f"(recording.rename(old={sample_dim!r})) or name it with sample_dim=."
        )
    if recording.size == 0:
        raise ValueError(
            f"{caller} was given an empty recording: sizes {dict(recording.sizes)}. "
            "Check the selection that made it."
        )


def _refuse_unknown_chunks(recording: xr.DataArray, *, caller: str) -> None:
    unknown = [dim for dim, size in recording.sizes.items() if size != size]  # NaN
    if unknown:
        raise ValueError(
            f"{caller} needs chunks of known sizes; along {_names(unknown)} they are unknown, as "
            "after a selection whose outcome dask has not computed. Compute them "
            "(recording.data.compute_chunk_sizes(), one pass), or select by labels from what "
            "partita.load(path, chunks=...) returns."
        )


def require_array(array: Any, *, caller: str) -> None:
    """Refuse what is not a DataArray of real numbers (TypeError)."""
    if isinstance(array, xr.Dataset):
        raise TypeError(
            f"{caller} needs one DataArray, and was given a Dataset with the variables "
            f"{_names(array.data_vars)}. Choose one: dataset['name']."
        )
    if not isinstance(array, xr.DataArray):
        raise TypeError(
            f"{caller} needs a labelled recording (xarray.DataArray), and was given "
            f"{type(array).__name__}. Wrap it: xr.DataArray(values, dims=('time', 'y', 'x'))."
        )
    if array.dtype.kind not in "iuf" or array.dtype == np.float16:
        raise TypeError(
            f"{caller} needs real numbers (integers, float32 or float64), and was given "
            f"{array.dtype}. Convert it first: recording.astype('float32')."
        )


def require_features(recording: xr.DataArray, *, sample_dim: str, caller: str) -> None:
    """Refuse a recording with nothing beside its sample dimension (ValueError)."""
    if recording.ndim < 2:
        raise ValueError(
            f"{caller} needs at least one dimension beside {sample_dim!r}, such as y and x or "
            f"neuron; this recording has {_names(recording.dims)} only. Keep a dimension of "
            "length one: recording.expand_dims('neuron')."
        )


def require_samples(recording: xr.DataArray, *, sample_dim: str, caller: str) -> None:
    """Refuse a recording with a single sample (ValueError)."""
    if recording.sizes[sample_dim] < 2:
        raise ValueError(
            f"{caller} needs at least two samples along {sample_dim!r}, and was given "
            f"{recording.sizes[sample_dim]}. Was one volume selected with a slice of length one?"
        )


def require_dense(recording: xr.DataArray, *, caller: str) -> None:
    """Refuse a sparse recording (TypeError); a dask-backed one passes."""
    if recording.chunks is None and not isinstance(recording.data, np.ndarray):
        raise TypeError(
            f"{caller} needs a dense recording, and was given {type(recording.data).__name__}. "
            "Make it dense first: recording.as_numpy()."
        )


def promote(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the floating dtype that a recording of `dtype` is worked on in.

    float32 and integers up to 16 bits give float32, everything else float64.
    """
    small = dtype == np.float32 or (dtype.kind in "iu" and dtype.itemsize <= 2)
    return np.dtype(np.float32 if small else np.float64)


def missing_throughout(matrix: Any) -> np.ndarray[Any, Any] | None:
    """Return which columns are NaN in every row; None where nothing is NaN."""
    if not _values_of(matrix).size or not np.isnan(_values_of(matrix).min()):
        return None
    if not isinstance(matrix, np.ndarray):  # a sparse matrix: its empty places are zeros
        return None
    empty: np.ndarray[Any, Any] = np.asarray(np.isnan(matrix).all(axis=0))
    return empty if empty.any() else None


def refuse_isolated(matrix: Any, *, place: Callable[[int, int], str], caller: str) -> None:
    """Refuse NaN and infinite values in a matrix (ValueError).

    Parameters
    ----------
    matrix : array or sparse matrix, (n_samples, n_features)
        Columns that are NaN throughout have been left out before.
    place : callable
        Says in words where a row and a column are.
    caller : str
        Who asks, for the message.
    """
    values = _values_of(matrix)
    if not values.size or (np.isfinite(values.min()) and np.isfinite(values.max())):
        return
    bad = ~np.isfinite(values)
    raise isolated(int(bad.sum()), matrix.shape, _first(matrix, bad, place), caller=caller)


def isolated(count: int, shape: tuple[int, int], first: str, *, caller: str) -> ValueError:
    """Return the refusal of so many NaN or infinite values, the first of them at `first`."""
    return ValueError(
        f"{caller} cannot use NaN or infinite values: {count} of {shape[0]} x {shape[1]} inside "
        f"the mask, the first at {first}. Voxels that are NaN at all times are left out by "
        "themselves. Interpolate or drop the isolated ones; NMF can also pass over them: "
        "fit(recording, weights=recording.notnull())."
    )


def refuse_negative(matrix: Any, *, place: Callable[[int, int], str], caller: str) -> None:
    """Refuse negative values in a matrix (ValueError)."""
    values = _values_of(matrix)
    if not values.size or values.min() >= 0:
        return
    bad = values < 0
    first = _first(matrix, bad, place)
    raise negative(int(bad.sum()), matrix.shape, float(values.min()), first, caller=caller)


def negative(
    count: int, shape: tuple[int, int], least: float, first: str, *, caller: str
) -> ValueError:
    """Return the refusal of so many negative values, the first of them at `first`."""
    return ValueError(
        f"{caller} needs non-negative data; {count} of {shape[0]} x {shape[1]} values are negative "
        f"(minimum {least:g}), the first at {first}. Split the signs with "
        "partita.preprocess.split_sign(recording), or rectify with "
        "partita.preprocess.rectify(recording)."
    )


def _values_of(matrix: Any) -> np.ndarray[Any, Any]:
    """Return the values of an array, the stored ones of a sparse matrix."""
    return matrix if isinstance(matrix, np.ndarray) else np.asarray(matrix.data)


def _first(matrix: Any, bad: np.ndarray[Any, Any], place: Callable[[int, int], str]) -> str:
    if isinstance(matrix, np.ndarray):
        row, column = np.unravel_index(int(np.argmax(bad)), bad.shape)
    else:
        entries = matrix.tocoo()
        row, column = entries.row[bad][0], entries.col[bad][0]
    return place(int(row), int(column))


def same_grid(given: xr.DataArray, expected: xr.DataArray) -> bool:
    """Tell whether two 1-D coordinates of equal length agree within 1e-3 of the spacing."""
    if given.shape != expected.shape:
        return False
    numeric = given.dtype.kind in "iuf" and expected.dtype.kind in "iuf"
    if not numeric:
        return bool(np.array_equal(given.values, expected.values))
    values = expected.values.astype(float)
    spacing = np.abs(np.diff(values)).min() if values.size > 1 else max(abs(float(values[0])), 1.0)
    return bool(
        np.allclose(given.values.astype(float), values, rtol=0, atol=GRID_TOLERANCE * spacing)
    )


def seconds(coordinate: xr.DataArray, *, caller: str) -> np.ndarray:
    """Return a time coordinate in seconds, by its units or its dtype.

    Parameters
    ----------
    coordinate : xarray.DataArray, (time,)
        Numbers (attribute ``units``: s, ms, us, min, h; without units they count as seconds),
        datetime64 or timedelta64.
    caller : str
        Who asks, for the message.

    Returns
    -------
    numpy.ndarray, (time,)
        Seconds, float64; datetimes count from the first.

    Raises
    ------
    ValueError
        If the units are unknown or none of time, or times fall or repeat.
    """
    values = _seconds_of(coordinate, caller=caller)
    if not np.all(np.isfinite(values)):
        raise ValueError(
            f"{caller} needs a time for every sample; {int((~np.isfinite(values)).sum())} of "
            f"{values.size} times are not finite. Assign them: recording.assign_coords(time=...)."
        )
    steps = np.diff(values)
    if np.any(steps <= 0):
        first = int(np.argmax(steps <= 0))
        raise ValueError(
            f"{caller} needs times that increase; sample {first + 1} ({values[first + 1]:g} s) "
            f"follows sample {first} ({values[first]:g} s). For concatenated runs, work on each "
            "run and concatenate afterwards, or assign continuous times."
        )
    return values


def sampling_interval(recording: xr.DataArray, *, sample_dim: str, caller: str) -> float:
    """Return the time between the samples of an evenly sampled recording, s.

    Evenly means that no sample lies further than 1 % of the interval from an even grid.

    Raises
    ------
    ValueError
        If the recording has no times, or they are uneven, fall or repeat.
    """
    if sample_dim not in recording.coords:
        raise ValueError(
            f"{caller} needs the time of every sample, and this recording has no coordinate "
            f"{sample_dim!r}. Assign it in seconds: recording.assign_coords({sample_dim}=...)."
        )
    times = seconds(recording[sample_dim], caller=caller)
    step, away = even_spacing(times)
    if away > EVEN_TOLERANCE:
        steps = np.diff(times)
        raise ValueError(
            f"{caller} needs even sampling; the times of this recording are {steps.min():.4g} to "
            f"{steps.max():.4g} s apart, and lie up to {100 * away:.3g} % of the interval off an "
            "even grid (1 % passes). Resample it first: "
            f"partita.preprocess.resample_time(recording, step={float(np.median(steps)):.4g})."
        )
    return step


def even_spacing(places: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Return the spacing of the even grid that fits best, and how far places lie off it.

    The distance is the largest of all, a share of the spacing (infinite where that is 0).
    """
    counts = np.arange(places.size) - (places.size - 1) / 2
    spacing = float(counts @ places / (counts @ counts))
    if not spacing:
        return 0.0, float("inf")
    away = places - places.mean() - spacing * counts
    return spacing, float(np.abs(away).max() / abs(spacing))


def _seconds_of(coordinate: xr.DataArray, *, caller: str) -> np.ndarray:
    values = coordinate.values
    if values.dtype.kind == "M":
        return np.asarray((values - values[:1]) / np.timedelta64(1, "ns") * 1e-9)
    if values.dtype.kind == "m":
        return np.asarray(values / np.timedelta64(1, "ns") * 1e-9)
    if values.dtype.kind not in "iuf":
        raise ValueError(
            f"{caller} needs numeric times, datetimes or timedeltas; {coordinate.name!r} holds "
            f"{values.dtype}. Assign times in seconds: recording.assign_coords(time=...)."
        )
    return np.asarray(values.astype(float) * seconds_per_unit(coordinate, caller=caller))


def seconds_per_unit(coordinate: xr.DataArray, *, caller: str) -> float:
    """Return how long one unit of a numeric time coordinate is, s.

    Raises
    ------
    ValueError
        If the units are unknown, or the samples merely numbered.
    """
    units = str(coordinate.attrs.get("units", "s")).strip()
    if merely_numbered(coordinate):
        name = coordinate.name
        raise ValueError(
            f"{caller} needs times in seconds; the samples of this recording are merely numbered "
            f"(units {units!r} of {name!r}). Give the rate of a movie in Hz when it is loaded, "
            "partita.load(path, frame_rate=30), or assign the times in seconds: "
            f"recording.assign_coords({name}=recording[{name!r}].values / frame_rate)."
        )
    if units not in _SECONDS_PER_UNIT:
        raise ValueError(
            f"{caller} does not know the time unit {units!r} of {coordinate.name!r}. Known: "
            f"{', '.join(sorted(_SECONDS_PER_UNIT))}. Convert the times and set "
            "recording.time.attrs['units'] = 's'."
        )
    return _SECONDS_PER_UNIT[units]


def merely_numbered(coordinate: xr.DataArray) -> bool:
    """Return whether a coordinate counts samples (units "1" or frames) rather than time."""
    numeric = coordinate.dtype.kind in "iuf"
    return numeric and str(coordinate.attrs.get("units", "s")).strip() in _COUNTS


def _names(names: Any) -> str:
    return "(" + ", ".join(repr(str(name)) for name in names) + ")"
