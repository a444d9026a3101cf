"""When volumes were acquired: seconds from a NIfTI header or its BIDS sidecar, and back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from partita._labels.numbers import is_finite
from partita._labels.time import in_seconds, seconds_of

Array = np.ndarray[Any, Any]

# Fields of a sidecar that the time coordinate is made of.
TIMING_FIELDS = ("RepetitionTime", "VolumeTiming", "DelayAfterTrigger")

# Volumes of a tenth of a second to ten are usual; a thousand times less or more is doubted.
_SHORTEST, _LONGEST = 0.01, 100.0
_AFNI_UNITS = {77001: "msec", 77002: "sec", 77003: "hz"}

_SECONDS_ATTRS = {"units": "s", "long_name": "time"}
_VOLUMES_ATTRS = {"units": "1", "long_name": "volume number"}


class HeaderTiming(NamedTuple):
    """What a NIfTI header says of its fourth axis.

    ``step`` and ``start`` are ``pixdim[4]`` and ``toffset`` as the shortest decimals they print
    as; ``unit`` is nibabel's, ``"sec"``, ``"msec"``, ``"usec"`` or what is no time (``"hz"``); None
    where unknown.
    """

    step: float
    start: float
    unit: str | None


class Timing(NamedTuple):
    """Starts of the volumes with their attributes, and what the user should be told."""

    time: xr.DataArray
    notes: list[str]


def time_of(
    n_volumes: int, header: HeaderTiming, *, fields: Mapping[str, Any], sidecar: Path | None
) -> Timing:
    """Return the start of each volume in seconds.

    ``VolumeTiming`` of the sidecar as it stands; else ``DelayAfterTrigger + i * RepetitionTime``;
    what the sidecar does not say comes from the header. Without a repetition time the volumes are
    numbered, in units of "1".

    Parameters
    ----------
    n_volumes : int
        Volumes in the file.
    header : HeaderTiming
        What the NIfTI header says.
    fields : Mapping
        The sidecar, as it was read.
    sidecar : pathlib.Path, optional
        Its path, for messages.

    Raises
    ------
    ValueError
        If the sidecar's timing is not numeric, not positive, or not as long as the recording.
    """
    if "VolumeTiming" in fields:
        return Timing(_seconds(_volume_timing(fields, n_volumes, sidecar)), [])
    notes: list[str] = []
    start = _in_header_unit(header.start, header)
    if "DelayAfterTrigger" in fields:
        start = _number(fields, "DelayAfterTrigger", sidecar)
    if "RepetitionTime" in fields:
        step = _positive(fields, "RepetitionTime", sidecar)
        notes += _disagreement(step, header)
    else:
        step = _in_header_unit(abs(header.step), header)
        notes += _header_notes(n_volumes, header)
    if step > 0 or n_volumes == 1:
        return Timing(_seconds(start + step * np.arange(n_volumes)), notes)
    return Timing(xr.DataArray(np.arange(n_volumes), dims="time", attrs=_VOLUMES_ATTRS), notes)


def at_rate(n_volumes: int, frame_rate: float, *, has_time: bool) -> xr.DataArray:
    """Return the start of each volume where the user says how many there are in a second.

    Raises
    ------
    ValueError
        If the file has no volumes over time.
    """
    if not has_time:
        raise ValueError(
            "frame_rate was given, and the image has no fourth axis, which time would be. Leave it "
            "out."
        )
    return _seconds(np.arange(n_volumes) / frame_rate)


def unit_of_steps(header: Any) -> str:
    """Return the unit of time of a nibabel header that is not NIfTI's, as NIfTI calls it.

    FreeSurfer writes milliseconds, AFNI says which, and MINC and Philips' PAR give seconds; what
    the others mean is not known.
    """
    kind = type(header).__name__
    if kind == "MGHHeader":
        return "msec"
    if kind == "AFNIHeader":
        codes = np.ravel(header.info.get("TAXIS_NUMS", ()))
        return _AFNI_UNITS.get(int(codes[2]), "unknown") if codes.size > 2 else "unknown"
    return (
        "sec" if kind in ("Minc1Header", "Minc2Header", "MincHeader", "PARRECHeader") else "unknown"
    )


def doubts(time: xr.DataArray) -> list[str]:
    """Return what to ask where volumes lie so far apart, or so close, that units were confused."""
    if time.attrs.get("units") != "s" or time.size < 2:
        return []
    step = float(np.median(np.diff(time.values)))
    if 0 < step < _SHORTEST or step >= _LONGEST:
        other = "milliseconds" if step >= _LONGEST else "seconds"
        factor = 1e-3 if step >= _LONGEST else 1e3
        return [
            f"its volumes are {step:g} s apart. If the number was meant in {other}, correct it: "
            f"recording.assign_coords(time=recording.time * {factor:g})."
        ]
    return []


def _seconds(values: Array) -> xr.DataArray:
    return xr.DataArray(values, dims="time", attrs=_SECONDS_ATTRS)


def _in_header_unit(value: float, header: HeaderTiming) -> float:
    """Return a header's number in seconds; 0 where it says nothing of time."""
    seconds = in_seconds(value, header.unit or "s")
    return seconds if seconds and np.isfinite(seconds) else 0.0


def _header_notes(n_volumes: int, header: HeaderTiming) -> list[str]:
    if n_volumes == 1:
        return []
    assign = "Assign the times in seconds: recording.assign_coords(time=...)"
    if header.unit is not None and in_seconds(1.0, header.unit) is None:
        return [
            f"the fourth axis is in {header.unit}, which is no time; its steps are numbered from 0 "
            f"(units '1'). {assign}."
        ]
    if not header.step or not np.isfinite(header.step):
        return [
            "there is no repetition time, neither in the header (pixdim[4]) nor in a sidecar; the "
            f"volumes are numbered from 0 (units '1'). {assign}, or write RepetitionTime into a "
            "sidecar."
        ]
    notes = []
    if header.step < 0:
        notes.append(
            f"the repetition time is negative (pixdim[4] = {header.step:g}); its magnitude is used."
        )
    if header.unit is None:
        notes.append(
            f"the header does not say the unit of time; {abs(header.step):g} is taken as seconds. "
            "A sidecar with RepetitionTime says it."
        )
    return notes


def _disagreement(step: float, header: HeaderTiming) -> list[str]:
    theirs = _in_header_unit(abs(header.step), header)
    if theirs == 0 or header.unit is None or np.isclose(theirs, step, rtol=1e-2):
        return []
    return [
        f"RepetitionTime of the sidecar is {step:g} s, and the header says {theirs:g} s; the "
        "sidecar is believed."
    ]


def _volume_timing(fields: Mapping[str, Any], n_volumes: int, sidecar: Path | None) -> Array:
    given = fields["VolumeTiming"]
    try:
        values = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        values = np.array(np.nan)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError(
            f"VolumeTiming in {sidecar} is not a list of numbers: {str(given)[:60]}. Write the "
            "start of each volume in seconds, or remove the field."
        )
    if values.size != n_volumes:
        raise ValueError(
            f"VolumeTiming in {sidecar} has {values.size} entries, and the recording has "
            f"{n_volumes} volumes. Correct the sidecar, or remove the field to take the times from "
            "the repetition time."
        )
    return values


def _number(fields: Mapping[str, Any], field: str, sidecar: Path | None) -> float:
    value = fields[field]
    if not is_finite(value):
        raise ValueError(
            f"{field} in {sidecar} is not a number: {value!r}. Write it in seconds, or remove it."
        )
    return float(value)


def _positive(fields: Mapping[str, Any], field: str, sidecar: Path | None) -> float:
    value = _number(fields, field, sidecar)
    if value <= 0:
        raise ValueError(
            f"{field} in {sidecar} must be above 0 and is {value:g}. Write it in seconds, or "
            "remove it."
        )
    return value


def timing_fields(time: xr.DataArray) -> tuple[dict[str, Any], float]:
    """Return the sidecar's timing fields for a time coordinate, and the step for the header.

    Parameters
    ----------
    time : xarray.DataArray, (time,)
        Seconds, or what its units or dtype make seconds. What counts no time (other units, text)
        gives no field and a step of 0.
    """
    values = seconds_of(time)
    if values is None or not np.isfinite(values).all() or values.size == 0:
        return {}, 0.0
    start = {"DelayAfterTrigger": float(values[0])} if values[0] else {}
    if values.size == 1:
        return start, 0.0
    step = _shortest_step(values)
    # RepetitionTime stands only for times that it gives back; others are kept as they are.
    even = values[0] + step * np.arange(values.size)
    if step > 0 and np.abs(values - even).max() <= 1e-9 * max(step, float(np.abs(values).max())):
        return {"RepetitionTime": step, **start}, step
    return {"VolumeTiming": values.tolist()}, max(float(np.median(np.diff(values))), 0.0)


def _shortest_step(values: Array) -> float:
    """Return the mean step as the shortest decimal that is the same to 12 digits."""
    return float(f"{(values[-1] - values[0]) / (values.size - 1):.12g}")
