"""BIDS sidecars: the JSON file beside a recording, as attributes and back."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from partita._labels.attrs import plain, storable
from partita._labels.numbers import is_number
from partita.io.nifti.timing import TIMING_FIELDS

# The object in a sidecar that holds what BIDS has no field for.
OWN = "Partita"

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


def read_sidecar(path: Path) -> dict[str, Any]:
    """Return the fields of a sidecar; none where there is no such file.

    Raises
    ------
    ValueError
        If the file is not JSON, or JSON but not an object.
    """
    if not path.is_file():
        return {}
    try:
        fields = json.loads(path.read_text(encoding="utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(
            f"The sidecar {path} is not JSON: {error}. Correct it, or move it away to load the "
            "recording without it."
        ) from error
    if not isinstance(fields, dict):
        raise ValueError(
            f"The sidecar {path} holds a JSON {type(fields).__name__}, and a sidecar is an object "
            "of fields. Correct it, or move it away to load the recording without it."
        )
    return fields


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
