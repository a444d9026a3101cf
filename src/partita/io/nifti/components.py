"""Images of the maps of a model: which they are, and the JSON file that describes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import xarray as xr

from partita.io.nifti.coordinates import COMPONENT

# What the header's description says of an image whose fourth axis are components.
COMPONENTS_MARK = "Partita maps of components"
_DESCRIPTION = "_decomposition.json"


def description_path(prefix: str) -> Path:
    """Return where the description of maps and signals under a prefix is."""
    return Path(f"{prefix}{_DESCRIPTION}")


def read_description(prefix: str) -> dict[str, Any]:
    """Return the description under a prefix; empty where there is none that Partita wrote."""
    return _ours(description_path(prefix))


def is_components(header: Any) -> bool:
    """Tell whether an image is of the maps that were saved with a model."""
    return bytes(header["descrip"]).rstrip(b"\0") == COMPONENTS_MARK.encode()


def with_names(maps: xr.DataArray, path: Path) -> xr.DataArray:
    """Return the maps in an image with the names and units that the model's description gives."""
    descriptions = [_ours(file) for file in sorted(path.parent.glob(f"*{_DESCRIPTION}"))]
    about = next((one for one in descriptions if path.name in one.get("Files", [])), {})
    labels, said = about.get("Components", []), about.get("Maps", {})
    words = {"long_name": said.get("LongName"), "units": said.get("Units")}
    maps = maps.assign_attrs(
        {key: word for key, word in words.items() if word not in (None, "n/a")}
    )
    if len(labels) != maps.sizes[COMPONENT]:
        return maps
    return maps.assign_coords({COMPONENT: (COMPONENT, labels, maps[COMPONENT].attrs)})


def _ours(path: Path) -> dict[str, Any]:
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    makers = about.get("GeneratedBy") if isinstance(about, dict) else None
    names = [one.get("Name") for one in makers or () if isinstance(one, dict)]
    return about if "Partita" in names else {}
