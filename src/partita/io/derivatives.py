"""Maps and signals as BIDS derivatives: images, tables, and what describes them."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from partita._labels.attrs import plain, storable
from partita._version import __version__
from partita.io.atomic import replacing
from partita.io.nifti.components import COMPONENTS_MARK, description_path, read_description
from partita.io.nifti.writing import as_volumes, header_for
from partita.io.overwriting import another, refuse_other
from partita.io.stores.encoding import encoded
from partita.io.stores.netcdf_writing import write_netcdf
from partita.io.tables.table_writing import MISSING, as_table

# The attribute of a model that tells of which save it is.
_STAMP = "partita_stamp"


def write_components(
    maps: xr.DataArray,
    signals: xr.DataArray,
    prefix: str | PathLike[str],
    *,
    description: Mapping[str, Any],
    overwrite: bool = False,
) -> list[Path]:
    """Write maps and signals under a prefix, as BIDS derivatives name them.

    ``<prefix>_components.nii.gz`` holds the maps (x, y, z, component), on the place of the
    recording. Every other dimension of the maps is taken apart: one file for each of its labels,
    ``<prefix>_sign-positive_components.nii.gz``, ``<prefix>_plane-0_components.nii.gz``. Maps
    without y and x go to ``<prefix>_components.tsv``, a row for each feature.
    ``<prefix>_mixing.tsv`` holds the signals (time, component_0, ...) and
    ``<prefix>_decomposition.json`` describes them all. All are written beside their places and
    renamed at the end, the description first. Folders are made.

    Parameters
    ----------
    maps : xarray.DataArray, (component, *features)
        NaN outside the mask.
    signals : xarray.DataArray, (time, component)
        The sample dimension may bear another name; it names the first column.
    prefix : str or path-like
        Folder and start of the names, such as ``derivatives/sub-01_desc-nmf``.
    description : Mapping
        Fields of the description: method, parameters, sources; what JSON can hold.
    overwrite : bool
        Whether files may be replaced that no such description names.

    Returns
    -------
    list of pathlib.Path
        What was written: maps, signals, description.

    Raises
    ------
    ValueError
        If the maps have no dimension ``component``, the signals are not two-dimensional with it,
        there are more of one than of the other, or positions along z, y or x are not evenly spaced
        numbers.
    FileExistsError
        If a file is there that was not written under this prefix before, and `overwrite` is not
        given.

    Examples
    --------
    >>> import tempfile
    >>> from partita.io import write_components
    >>> maps = xr.DataArray(np.ones((2, 3, 4)), dims=("component", "y", "x"))
    >>> signals = xr.DataArray(np.ones((5, 2)), dims=("time", "component"))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = write_components(
    ...         maps, signals, f"{folder}/nmf", description={"Method": "NMF"}
    ...     )
    >>> [path.name for path in written]
    ['nmf_components.nii.gz', 'nmf_mixing.tsv', 'nmf_decomposition.json']
    """
    prefix = str(Path(prefix).expanduser())
    contents = _component_files(maps, signals, prefix)
    about = _describe(maps, signals, list(contents), description)
    contents = {description_path(prefix): _as_json(about), **contents}
    if not overwrite:
        refuse_other_files(contents, prefix)
    with replacing(*contents) as temporary:
        for path, content in zip(temporary, contents.values(), strict=True):
            path.write_bytes(content)
    described, *rest = contents
    return [*rest, described]


def write_derivatives(
    maps: xr.DataArray,
    signals: xr.DataArray,
    whole: xr.Dataset,
    prefix: str | PathLike[str],
    *,
    description: Mapping[str, Any],
    overwrite: bool = False,
) -> list[Path]:
    """Write maps and signals as `write_components` does, and the model as ``<prefix>.nc``.

    All are written before the first is renamed, the description first and the model last, and
    both bear one stamp: where that is interrupted, `stamps_differ` tells it.
    """
    prefix = str(Path(prefix).expanduser())
    contents = _component_files(maps, signals, prefix)
    about = _describe(maps, signals, list(contents), description)
    about["Stamp"] = _digest(_as_json(about), *contents.values())
    contents = {description_path(prefix): _as_json(about), **contents}
    model = Path(f"{prefix}.nc")
    refuse_other(model, "model", overwrite=overwrite)
    if not overwrite:
        refuse_other_files(contents, prefix)
    with replacing(*contents, model) as (*temporary, last):
        for path, content in zip(temporary, contents.values(), strict=True):
            path.write_bytes(content)
        write_netcdf(encoded(whole.assign_attrs({_STAMP: about["Stamp"]})), last, {})
    described, *rest = contents
    return [*rest, described, model]


def stamps_differ(model: xr.Dataset, path: Path) -> bool:
    """Tell whether the maps and signals beside a model are those of another save.

    Parameters
    ----------
    model : xarray.Dataset
        What is in the file.
    path : pathlib.Path
        The file.
    """
    if path.suffix != ".nc":
        return False
    about = read_description(str(path.with_suffix("")))
    return about.get("Stamp") != model.attrs.get(_STAMP) and "Stamp" in about


def _digest(*contents: bytes) -> str:
    found = hashlib.blake2b(digest_size=8)
    for content in contents:
        found.update(content)
    return found.hexdigest()


def _component_files(maps: xr.DataArray, signals: xr.DataArray, prefix: str) -> dict[Path, bytes]:
    _refuse_unlabelled(maps, signals)
    return {**_map_files(maps, prefix), Path(f"{prefix}_mixing.tsv"): _signal_table(signals)}


def refuse_other_files(paths: Iterable[Path], prefix: str) -> None:
    """Refuse to replace what the description under a prefix does not name (FileExistsError)."""
    about = read_description(prefix)
    ours = [description_path(prefix).name, *about.get("Files", [])] if about else []
    for path in paths:
        if path.is_file() and path.name not in ours:
            raise FileExistsError(another(path, None, "a part of a model"))


def _refuse_unlabelled(maps: xr.DataArray, signals: xr.DataArray) -> None:
    if "component" not in maps.dims:
        raise ValueError(
            f"Maps have the dimension 'component', and these have {maps.dims}. Give the maps_ of a "
            "fitted model."
        )
    if "component" not in signals.dims or signals.ndim != 2:
        raise ValueError(
            f"Signals have two dimensions, samples and 'component', and these have {signals.dims}. "
            "Give the signals_ of a fitted model."
        )
    if maps.sizes["component"] != signals.sizes["component"]:
        raise ValueError(
            f"There are {maps.sizes['component']} maps and {signals.sizes['component']} signals. "
            "Give the maps_ and signals_ of one fitted model, or the same selection of both."
        )


def _map_files(maps: xr.DataArray, prefix: str) -> dict[Path, bytes]:
    if not {"y", "x"} <= set(maps.dims):
        return {Path(f"{prefix}_components.tsv"): _map_table(maps)}
    return {
        Path(f"{prefix}{entities}_components.nii.gz"): _image(part)
        for entities, part in _images(maps)
    }


def _images(maps: xr.DataArray) -> Iterator[tuple[str, xr.DataArray]]:
    """Yield each part of the maps that an image can hold, and the entities of its name."""
    extra = [dim for dim in maps.dims if dim not in ("component", "z", "y", "x")]
    labels = [_entity_labels(maps, dim) for dim in extra]
    for places in itertools.product(*[range(len(names)) for names in labels]):
        named = zip(extra, labels, places, strict=True)
        entities = "".join(f"_{_alphanumeric(dim)}-{names[at]}" for dim, names, at in named)
        yield entities, maps.isel(dict(zip(extra, places, strict=True)), drop=True)


def _entity_labels(maps: xr.DataArray, dim: Any) -> list[str]:
    """Return labels of letters and digits, as BIDS entities have; numbers where they clash."""
    numbers = [str(place) for place in range(maps.sizes[dim])]
    if dim not in maps.coords:
        return numbers
    labels = [_alphanumeric(label) for label in maps[dim].values]
    return labels if all(labels) and len(set(labels)) == len(labels) else numbers


def _alphanumeric(label: Any) -> str:
    return re.sub(r"[^0-9A-Za-z]", "", str(label).replace(".", "p").replace("-", "m"))


def _image(part: xr.DataArray) -> bytes:
    present = ("component", *(dim for dim in ("z", "y", "x") if dim in part.dims))
    ordered = part.transpose(*present)
    if "z" not in part.dims:
        ordered = ordered.expand_dims("z", axis=1)
    values = np.asarray(ordered.values)
    dtype = np.dtype(values.dtype).newbyteorder("<")
    header = header_for(as_volumes(part)[0], (1, *values.shape), dtype=dtype, step=0.0)
    header["descrip"] = COMPONENTS_MARK
    raw = header.binaryblock + b"\0" * 4 + np.ascontiguousarray(values, dtype).tobytes()
    return gzip.compress(raw, mtime=0)


def _map_table(maps: xr.DataArray) -> bytes:
    features = [dim for dim in maps.dims if dim != "component"]
    ordered = maps.transpose(*features, "component")
    labels = [_labels(maps, dim) for dim in features]
    rows = ordered.values.reshape(-1, maps.sizes["component"])
    named = itertools.product(*labels)
    return as_table(
        [*map(str, features), *_component_names(maps)],
        ([*names, *row] for names, row in zip(named, rows, strict=True)),
    )


def _signal_table(signals: xr.DataArray) -> bytes:
    (sample_dim,) = (dim for dim in signals.dims if dim != "component")
    rows = signals.transpose(sample_dim, "component").values
    times = _labels(signals, sample_dim)
    return as_table(
        [str(sample_dim), *_component_names(signals)],
        ([time, *row] for time, row in zip(times, rows, strict=True)),
    )


def _labels(array: xr.DataArray, dim: Any) -> list[Any]:
    return list(array[dim].values) if dim in array.coords else list(range(array.sizes[dim]))


def _component_names(array: xr.DataArray) -> list[str]:
    return [f"component_{label}" for label in _labels(array, "component")]


def _describe(
    maps: xr.DataArray, signals: xr.DataArray, files: list[Path], description: Mapping[str, Any]
) -> dict[str, Any]:
    time = signals.dims[0] if signals.dims[1] == "component" else signals.dims[1]
    return {
        "Description": "Maps and signals of a decomposition, written by Partita.",
        "GeneratedBy": [{"Name": "Partita", "Version": __version__}],
        "Files": [path.name for path in files],
        "Components": [plain(label) for label in _labels(maps, "component")],
        "Maps": _about(maps),
        "Signals": _about(signals),
        "SampleDimension": str(time),
        "SampleUnits": str(signals[time].attrs.get("units", MISSING)),
        **{key: plain(value) for key, value in description.items()},
    }


def _as_json(about: Mapping[str, Any]) -> bytes:
    return (json.dumps(about, indent=2, ensure_ascii=False, default=plain) + "\n").encode()


def _about(array: xr.DataArray) -> dict[str, Any]:
    attrs = {key: plain(value) for key, value in storable(array.attrs).items()}
    return {
        "Dimensions": [str(dim) for dim in array.dims],
        "Units": attrs.get("units", MISSING),
        "LongName": attrs.get("long_name", MISSING),
    }
