"""What the command line says of a recording, and of results."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from shlex import quote
from textwrap import shorten
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray as xr

    from partita._cli.happenings import Follower
    from partita.decomposition import NMF
    from partita.io import SeveralArrays

_CONTENTS = {
    "_components.nii.gz": "maps",
    "_components.tsv": "maps",
    "_mixing.tsv": "signals",
    "_decomposition.json": "parameters and shares of the energy",
    "_components.png": "maps beside signals",
    "_map.png": "the strongest map",
    ".nc": "the whole model: partita.load_model opens it",
    ".zarr": "the whole model: partita.load_model opens it",
}
# How a message names an option of load, and what there is to do in Python instead.
_OPTION = re.compile(
    r"partita\.load\((?:path|\.\.\.), (dataset|frame_rate)=('[^']*'|[^,()']+)\)"
    r"(?:, or assign the times in seconds: recording\.assign_coords\([^)]*\))?"
)
# What else the library calls by its own names; first those that hold others.
_WORDS = {
    r"partita\.load\(path, allow_external=True\)": "--allow-external",
    r"overwrite=True": "--force",
    r"dims=\(\.\.\.\)": "--dims y,x,time",
    r"dims=…": "--dims y,x,time",
    r"say dims=\('[^)]*\)": "say --dims y,x,time",
    r"frame_rate=(\d+)": r"--frame-rate \1",
    r"Split the signs with [\w.]+\(recording\), or rectify with [\w.]+\([\w=]+\)": (
        "Leave out --no-split"
    ),
    r"standardise the recording first \(zscore and split_sign\)": "leave out --no-split",
    r"\bn_components\b": "-k",
    r"\bmax_iter\b": "--max-iter",
    r"(?<![\w/.-])tol(?![\w/.-]*/)\b": "--tol",
    r"\bloss is one of\b": "--loss is one of",
    r"Shorten it, or set window=None to use the whole recording": "Shorten it: --window",
    r"\bframe_rate\b": "--frame-rate",
    r"\bpixel_size\b": "--pixel-size",
    r"\bmax_shift\b": "--max-shift",
    r"\b(correlate_events|plot_components)(?=:| )": "--events",
}
_NO_OPTIONS = ("command", "recording", "headers_only", "k")
_WIDTH = 78  # characters of an attribute shown by info


def report(
    model: NMF, written: list[Path], found: Mapping[str, Follower], *, seconds: float
) -> None:
    """Print how a fit went, what follows which events, and where its results are."""
    state = "converged" if model.converged_ else "not converged"
    parts = f"{model.maps_.sizes['component']} parts"
    share = f"R² {100 * float(model.explained_['r2']):.1f} %"
    print(f"{parts}, {state} after {model.n_iter_} iterations; they explain {share}")
    width = max(map(len, found), default=0)
    for kind, (component, r, lag) in found.items():
        follows = f"followed best by component {component}: r {r:.2f}, {lag:g} s later"
        print(f"  {kind:<{width}}  {follows}")
    print(f"Done in {seconds:.1f} s. The results, in {written[0].parent}{os.sep}")
    width = max(len(path.name) for path in written)
    for path in written:
        print(f"  {path.name:<{width}}  {_content(path)}")
    pictures = [path for path in written if path.name.endswith("_components.png")]
    if pictures:
        print(f"Look at {pictures[0]}")


def _content(path: Path) -> str:
    for ending, content in _CONTENTS.items():
        if path.name.endswith(ending):
            sign = next((s for s in ("positive", "negative") if f"_sign-{s}_" in path.name), "")
            return f"{sign} {content}".strip()
    return path.suffix


def in_a_shell(text: str) -> str:
    """Return a message with the options of load as the command line takes them."""

    def option(found: re.Match[str]) -> str:
        name, value = found[1].replace("_", "-"), found[2].strip("'")
        return f"--{name} {quote(value)}"

    text = _OPTION.sub(option, text)
    for found, said in _WORDS.items():
        text = re.sub(found, said, text)
    return text


def unknown_in_words(unknown: list[str], known: Mapping[str, Any]) -> str:
    """Return what to say of words that no command takes where they stand."""
    options = [word for word in unknown if word.startswith("-")]
    if not options:
        return f"{unknown[0]} stands after options; name every recording before them"
    name = options[0].partition("=")[0]
    spelt = [f"--{one.replace('_', '-')}" for one in known if one not in _NO_OPTIONS]
    near = get_close_matches(name, spelt, n=1)
    return f"unknown option {name}" + (f"; did you mean {near[0]}?" if near else "")


def size_of(n_bytes: int) -> str:
    """Return a number of bytes in words: ``"27.4 MB"``."""
    return f"{n_bytes / 1e9:.2f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.1f} MB"


def facts_of(recording: xr.DataArray, path: Path) -> Iterator[tuple[str, str]]:
    """Give what there is to know of a recording, as pairs of a label and a text."""
    yield "file", str(path)
    sidecar = path.with_name(path.name.removesuffix(extension(path)) + ".json")
    yield (
        "format",
        _format(recording, path) + (f" with sidecar {sidecar.name}" if sidecar.is_file() else ""),
    )
    long_name = recording.attrs.get("long_name", recording.name)
    yield "values", f"{long_name} [{recording.attrs.get('units', 'no units')}]"
    yield "sizes", sizes_of(recording)
    if "axes" in recording.encoding:
        example = ",".join(reversed([str(dim) for dim in recording.dims]))
        yield "axes", f"{recording.encoding['axes']}; say otherwise: --dims {example}"
    for other in recording.encoding.get("others", ()):
        yield "also", other
    yield "memory", f"{size_of(recording.nbytes)} as {recording.dtype}{_pieces(recording)}"
    for name, coordinate in recording.coords.items():
        yield str(name), _extent(coordinate)
    for dim in recording.dims:
        if dim not in recording.coords:
            yield str(dim), f"{recording.sizes[dim]}, without coordinate"
    for key, value in recording.attrs.items():
        if key not in ("long_name", "units"):
            yield f"  {key}", _text(value)


def _pieces(recording: xr.DataArray) -> str:
    """Return in which pieces the file stores the values, where it says so."""
    stored = recording.encoding.get("preferred_chunks", {})
    return f", stored in pieces of {sizes_in_words(stored)}" if stored else ""


def _format(recording: xr.DataArray, path: Path) -> str:
    """Return the format in words, by what is in the file."""
    from partita.io import name_format

    return str(recording.encoding.get("format") or name_format(path))


def choice_of(several: SeveralArrays, path: Path) -> Iterator[tuple[str, str]]:
    """Give what a file holds of which none is loaded without its name."""
    yield "file", str(path)
    yield "format", several.kind
    yield "holds", f"{len(several.entries)} arrays; choose one with --dataset NAME"
    for entry in several.entries:
        yield f"  {entry.name}", f"{' x '.join(map(str, entry.shape))}, {entry.type}"


def _extent(coordinate: xr.DataArray) -> str:
    """Return the range of a coordinate and its step, or what else there is to say of it."""
    import numpy as np

    from partita._labels.grid import is_even

    values, units = coordinate.values, str(coordinate.attrs.get("units", ""))
    units = "" if units == "1" else units
    if values.ndim == 0 and coordinate.attrs:
        return ", ".join(f"{key} {_text(value)}" for key, value in coordinate.attrs.items())
    if values.ndim != 1 or values.dtype.kind not in "iuf":
        return _text(values.ravel()[:8])
    if values.size == 1:
        return f"{values[0]:.6g} {units}".rstrip()
    steps = np.diff(values.astype(float))
    step = float(np.median(steps))
    even = "" if is_even(values.astype(float)) else " in the median, uneven"
    return f"{values[0]:.6g} to {values[-1]:.6g} {units}, step {step:.6g}{even}".replace(" ,", ",")


def _text(value: Any) -> str:
    """Return a value in a few words, numbers in few digits."""
    if getattr(value, "ndim", 0) == 0:
        return shorten(str(value), _WIDTH)
    words = (f"{item:.4g}" if value.dtype.kind == "f" else str(item) for item in value.ravel())
    return shorten(" ".join(words), _WIDTH)


def sizes_of(recording: xr.DataArray) -> str:
    """Return the dimensions and their sizes."""
    return sizes_in_words(recording.sizes)


def sizes_in_words(sizes: Mapping[Any, int]) -> str:
    """Return ``"time 60, y 8, x 6"``."""
    return ", ".join(f"{dim} {size}" for dim, size in sizes.items())


def extension(path: Path) -> str:
    """Return the suffix, both of them for .nii.gz."""
    return ".nii.gz" if path.name.endswith(".nii.gz") else path.suffix
