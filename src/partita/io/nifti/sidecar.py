"""BIDS sidecars: the JSON files beside and above a recording, as attributes and back."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from partita._labels.attrs import plain, storable
from partita._labels.numbers import is_number
from partita.io.inheritance import inherited, read_fields
from partita.io.nifti.timing import TIMING_FIELDS

# The object in a sidecar that holds what BIDS has no field for.
OWN = "Partita"
# The field of it that says what the fourth axis is, where that is not time.
FOURTH_AXIS = "FourthAxis"

# Attributes that xarray would take for instructions on how values are stored.
_MEANT_FOR_STORAGE = {
    "_FillValue", "missing_value", "scale_factor", "add_offset", "dtype", "calendar",
    "coordinates", "grid_mapping",
}  # fmt: skip


def sidecar_path(path: Path) -> Path:
    """Return where the sidecar of a NIfTI file is, or would be."""
    return path.with_name(stem(path) + ".json")


def stem(path: Path) -> str:
    """Return a file's name without ``.nii`` or ``.nii.gz``."""
    return re.sub(r"\.nii(\.gz)?$", "", path.name, flags=re.IGNORECASE)


class Sidecars(NamedTuple):
    """What sidecars say of an image, the file that its timing is from, and what to tell of them."""

    fields: dict[str, Any]
    path: Path
    notes: list[str]


def read_sidecars(path: Path) -> Sidecars:
    """Return what the sidecar of a NIfTI file says, and those that it inherits from.

    The nearer is believed. A sidecar that Partita wrote says all by itself.

    Raises
    ------
    ValueError
        If a file is not JSON, or JSON but not an object.
    """
    beside = sidecar_path(path)
    own = read_fields(beside)
    if OWN in own:
        return Sidecars(own, beside, [])
    fields: dict[str, Any] = {}
    told_by: dict[str, Path] = {}
    notes: list[str] = []
    for file in [*inherited(path, stem(path)), beside]:
        layer = read_fields(file) if file != beside else own
        layer = {field: value for field, value in layer.items() if field != OWN}
        timed = [field for field in TIMING_FIELDS if field in layer]
        notes += [_contradiction(f, fields, layer, told_by[f], file) for f in timed if f in fields]
        if {"RepetitionTime", "VolumeTiming"} & set(layer):  # each says what the other would
            fields = {f: v for f, v in fields.items() if f not in TIMING_FIELDS[:2]}
        fields |= layer
        told_by |= dict.fromkeys(layer, file)
    timing = next((told_by[field] for field in TIMING_FIELDS if field in fields), beside)
    return Sidecars(fields, timing, [note for note in notes if note])


def _contradiction(
    field: str, far: Mapping[str, Any], near: Mapping[str, Any], far_file: Path, near_file: Path
) -> str:
    if far[field] == near[field]:
        return ""
    return (
        f"{field} is {str(far[field])[:40]} in {far_file} and {str(near[field])[:40]} in "
        f"{near_file}; the latter, which is nearer, is believed."
    )


def attrs_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a sidecar's fields as attributes in snake_case that NetCDF can hold.

    ``VolumeTiming`` is left out: the time coordinate holds it. In a sidecar that Partita wrote, so
    are the other fields of timing; what the recording had as attributes comes from Partita's own
    object in it.
    """
    own = fields.get(OWN)
    skipped = {OWN, *TIMING_FIELDS} if isinstance(own, dict) else {"VolumeTiming"}
    attrs = {_attribute(field): value for field, value in fields.items() if field not in skipped}
    if isinstance(own, dict) and isinstance(own.get("Attributes"), dict):
        attrs.update(own["Attributes"])
    return storable({key: _numeric(value) for key, value in attrs.items()})


def fields_of(attrs: Mapping[Any, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return attributes as (fields of BIDS, what must keep its own spelling)."""
    fields: dict[str, Any] = {}
    verbatim: dict[str, Any] = {}
    for key, value in storable(attrs).items():
        field = "".join(part[:1].upper() + part[1:] for part in key.split("_"))
        if field in {OWN, *TIMING_FIELDS} or _attribute(field) != key:
            verbatim[key] = plain(value)
        else:
            fields[field] = _unpacked(key, plain(value))
    return fields, verbatim


def _attribute(field: str) -> str:
    """Return ``RepetitionTime`` as ``repetition_time``, ``MRAcquisitionType`` as ``mr_...``."""
    words = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", field)
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", words)
    name = re.sub(r"[^0-9a-zA-Z]+", "_", words).strip("_").lower()
    if field in _MEANT_FOR_STORAGE or name in _MEANT_FOR_STORAGE:
        return f"sidecar_{name.strip('_')}"
    return name or "sidecar_field"


def _numeric(value: Any) -> Any:
    """Return a list of numbers as an array, anything else as it is."""
    numbers = isinstance(value, list) and value and all(map(is_number, value))
    return np.asarray(value) if numbers else value


def _unpacked(key: str, value: Any) -> Any:
    """Return JSON text as the object it was before it became an attribute."""
    if not isinstance(value, str) or value[:1] not in ("{", "["):
        return value
    try:
        loaded = json.loads(value)
    except json.JSONDecodeError:
        return value
    same = storable({key: _numeric(loaded)}).get(key)
    return loaded if isinstance(same, str) and same == value else value
