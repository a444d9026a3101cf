"""Times: how long a unit lasts, and when the samples of a recording were taken, in seconds."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import xarray as xr

from partita._labels.grid import EVEN_TOLERANCE, even_spacing

Array = np.ndarray[Any, Any]

# Of each unit of time in seconds, as CF, BIDS, OME, ImageJ and nibabel write them. Fractions, so
# that 300 ms are 0.3 s to the last digit.
_SECONDS = {
    name: length
    for names, length in (
        ("s sec secs second seconds", Fraction(1)),
        ("ms msec millisecond milliseconds", Fraction(1, 10**3)),
        ("us µs μs usec microsecond microseconds", Fraction(1, 10**6)),
        ("ns nsec nanosecond nanoseconds", Fraction(1, 10**9)),
        ("min mins minute minutes", Fraction(60)),
        ("h hr hrs hour hours", Fraction(3600)),
        ("d day days", Fraction(86400)),
    )
    for name in names.split()
}
# Units of samples that are numbered, as `load` does where a file says no rate.
_COUNTS = ("1", "", "frame", "frames")


def in_seconds(duration: Any, unit: str) -> Any:
    """Return a duration, or an array of them, in seconds; None where the unit is none of time."""
    length = _SECONDS.get(unit.strip())
    return None if length is None else duration * length.numerator / length.denominator


def seconds_of(coordinate: xr.DataArray) -> Array | None:
    """Return a time coordinate in seconds, of any order; None where it counts no time.

    Parameters
    ----------
    coordinate : xarray.DataArray, (time,)
        Numbers (attribute ``units``: s, ms, us, ns, min, h, d; without units they count as
        seconds), datetime64 or timedelta64.

    Returns
    -------
    numpy.ndarray, (time,)
        Seconds, float64; datetimes count from the first.
    """
    if hasattr(coordinate.dtype, "tz"):  # the values of numpy know no zones
        return None
    values = coordinate.values
    if values.dtype.kind == "M":
        values = values - values[:1]
    if values.dtype.kind == "m":
        return np.asarray(values / np.timedelta64(1, "ns") / 1e9)
    if values.dtype.kind not in "iuf":
        return None
    seconds = in_seconds(values.astype(float), _unit_of(coordinate))
    return None if seconds is None else np.asarray(seconds)


def from_seconds(seconds: Array, *, like: xr.DataArray) -> xr.Variable:
    """Return seconds, as `seconds_of` counts them, in the units or the dtype of a coordinate.

    Parameters
    ----------
    seconds : numpy.ndarray, (n_times,)
        Of any number of times.
    like : xarray.DataArray, (time,)
        A coordinate that counts time.
    """
    if like.dtype.kind in "mM":
        spans = np.round(seconds * 1e9).astype("timedelta64[ns]")
        values = spans if like.dtype.kind == "m" else like.values[0] + spans
    else:
        length = _SECONDS[_unit_of(like)]
        values = seconds * length.denominator / length.numerator
    return xr.Variable(like.dims, values, like.attrs)


def merely_numbered(coordinate: xr.DataArray) -> bool:
    """Return whether a coordinate counts samples (units "1" or frames) rather than time."""
    return coordinate.dtype.kind in "iuf" and _unit_of(coordinate) in _COUNTS


def require_seconds(coordinate: xr.DataArray, *, caller: str) -> Array:
    """Return a time coordinate in seconds (see `seconds_of`), or refuse it.

    Raises
    ------
    ValueError
        If the units are unknown or none of time, or times are not finite, fall or repeat.
    """
    values = seconds_of(coordinate)
    if values is None:
        raise _no_time(coordinate, caller=caller)
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


def sample_times(recording: xr.DataArray, *, sample_dim: str, caller: str) -> Array:
    """Return the times of the samples of a recording in seconds, or refuse one without.

    Raises
    ------
    ValueError
        If the recording has no times, or they fall or repeat.
    """
    if sample_dim not in recording.coords:
        raise ValueError(
            f"{caller} needs the time of every sample, and this recording has no coordinate "
            f"{sample_dim!r}. Assign it in seconds: recording.assign_coords("
            f"{sample_dim}=np.arange({recording.sizes[sample_dim]}) / frame_rate)."
        )
    return require_seconds(recording[sample_dim], caller=caller)


def sampling_interval(recording: xr.DataArray, *, sample_dim: str, caller: str) -> float:
    """Return the time between the samples of an evenly sampled recording, s.

    Evenly means that no sample lies further than 1 % of the interval from an even grid.

    Raises
    ------
    ValueError
        If the recording has no times, or they are uneven, fall or repeat.
    """
    times = sample_times(recording, sample_dim=sample_dim, caller=caller)
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


def _unit_of(coordinate: xr.DataArray) -> str:
    return str(coordinate.attrs.get("units", "s")).strip()


def _no_time(coordinate: xr.DataArray, *, caller: str) -> ValueError:
    name, unit = coordinate.name, _unit_of(coordinate)
    if coordinate.dtype.kind not in "iuf":
        return ValueError(
            f"{caller} needs numeric times, datetimes or timedeltas; {name!r} holds "
            f"{coordinate.dtype}. Assign times in seconds: recording.assign_coords(time=...)."
        )
    if merely_numbered(coordinate):
        return ValueError(
            f"{caller} needs times in seconds; the samples of this recording are merely numbered "
            f"(units {unit!r} of {name!r}). Give the rate of a movie in Hz when it is loaded, "
            "partita.load(path, frame_rate=30), or assign the times in seconds: "
            f"recording.assign_coords({name}=recording[{name!r}].values / frame_rate)."
        )
    return ValueError(
        f"{caller} does not know the time unit {unit!r} of {name!r}. Known: "
        f"{', '.join(sorted(_SECONDS))}. Convert the times and set "
        "recording.time.attrs['units'] = 's'."
    )
