"""What `partita run` writes: where it may, and the pictures beside the model."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from partita._cli.words import extension

if TYPE_CHECKING:
    import xarray as xr

    from partita.decomposition import NMF

# Suffixes of one file that holds the whole model; other names are prefixes of several.
WHOLE = (".nc", ".zarr")
_PICTURES = ("components", "map")


def destination(out: str | None, sources: Sequence[str]) -> Path:
    """Return the prefix of the results in the folder asked for, or the one file.

    Raises
    ------
    NotADirectoryError
        If it is a file that is there.
    ValueError
        If it is named as files of other formats are.
    """
    name = f"{_common([_stem(source) for source in sources])}_desc-nmf"
    if out is None:
        return Path("derivatives") / name
    path = Path(out).expanduser()
    if path.suffix in WHOLE:
        return path
    if path.is_file():
        raise NotADirectoryError(f"--out names a folder, and {path} is a file. Name another.")
    if path.suffix.lower() in _suffixes() and not path.is_dir():
        raise ValueError(
            f"--out names a folder, or a .nc or .zarr for the model alone; given: {path}."
        )
    return path / name


def names_of(sources: Sequence[str]) -> list[str]:
    """Return what recordings are called: their files' names, or paths where those are the same."""
    names = [_stem(source) for source in sources]
    if len(set(names)) == len(names):
        return names
    if len(set(sources)) < len(sources):
        raise ValueError(f"{max(sources, key=list(sources).count)} is given twice. Name it once.")
    return list(sources)


def _suffixes() -> set[str]:
    from partita.io.formats import FORMATS

    written = {suffix.rpartition(".")[2] for row in FORMATS for suffix in row.suffixes}
    return {f".{suffix}" for suffix in (*written, "h5", "npy", "npz", "mat", "png", "json", "mp4")}


def _stem(source: str) -> str:
    """Return the name of a recording: a BIDS name loses its suffix (_bold, _pwd)."""
    path = Path(source)
    stem = re.sub(r"[*?\[\]]+", "", path.name.removesuffix(extension(path))).strip("_-. ")
    if stem.startswith("sub-") and "-" not in stem.rpartition("_")[2]:
        stem = stem.rpartition("_")[0]
    return stem or "recording"


def _common(stems: Sequence[str]) -> str:
    """Return the pieces of names that all have: of runs, the subject and the task."""
    first, *others = (stem.split("_") for stem in stems)
    shared = [piece for piece in first if all(piece in other for other in others)]
    return "_".join(shared) or "recordings"


def refuse_place(
    out: Path, sources: Sequence[str], checkpoint: Path | None, *, force: bool
) -> None:
    """Refuse, before there is work to lose, to write the results over what is read or foreign.

    Parameters
    ----------
    out : pathlib.Path
        The one file, or the prefix of the results.
    sources : sequence of str
        The recordings, as `partita.load` takes them.
    checkpoint : pathlib.Path, optional
        Where the state of the fit is kept.
    force : bool
        Whether what is no result of Partita may be replaced.

    Raises
    ------
    FileExistsError
        If a result would replace a part of the recording, or something else without `force`.
    ValueError
        If `out` ends as files do that are no models, or the checkpoint is one of the results.
    """
    from partita.decomposition.persistence import places_of, refuse_places
    from partita.io.loading import read_by
    from partita.io.overwriting import is_within, refuse_inputs, refuse_other

    pictures = [] if out.suffix in WHOLE else [_picture(out, kind) for kind in _PICTURES]
    places = [*places_of(out), *pictures]
    read = [path for source in sources for path in read_by(source)]
    kept = [] if checkpoint is None else [checkpoint]
    refuse_inputs([*places, *kept], read)
    if any(is_within(one, place) for one in kept for place in places):
        raise ValueError(
            f"--checkpoint {checkpoint} is where a result goes, which would replace the state of "
            "the fit. Give another name."
        )
    refuse_places(out, overwrite=force)
    for path in pictures:
        refuse_other(path, "picture", overwrite=force)


def draw(
    model: NMF, recording: xr.DataArray, prefix: Path, *, force: bool, events: Any = None
) -> list[Path]:
    """Draw the components on as many pages as they fill, and the strongest map over the anatomy.

    Returns the pictures' paths.
    """
    import matplotlib as mpl

    mpl.use("Agg")  # no window opens, and no display is needed
    from matplotlib import pyplot as plt

    from partita.io.atomic import replacing
    from partita.io.overwriting import PICTURE, refuse_other
    from partita.plotting import plot_components, plot_map
    from partita.plotting.components import count_pages
    from partita.preprocess import temporal_mean

    def written(kind: str, figure: Any) -> Path:
        path = _picture(prefix, kind)
        refuse_other(path, "picture", overwrite=force)
        with replacing(path) as (temporary,):
            figure.savefig(temporary, dpi=150, metadata=PICTURE)
        plt.close(figure)
        return path

    paths = [
        written(_page(page), plot_components(model, events=events, page=page))
        for page in range(1, count_pages(model) + 1)
    ]
    _remove_pages(prefix, after=len(paths))
    if {"y", "x"} <= set(recording.dims):
        axes = plot_map(model.maps_.isel(component=0), background=temporal_mean(recording))
        paths.append(written("map", axes.get_figure()))
    return paths


def _remove_pages(prefix: Path, *, after: int) -> None:
    """Remove the pages that an earlier run of more parts has left under the same name."""
    from partita.io.overwriting import kind_at

    for number in itertools.count(after + 1):
        left = _picture(prefix, _page(number))
        if kind_at(left) != "picture":
            return
        left.unlink()


def _page(number: int) -> str:
    return "components" if number == 1 else f"page-{number}_components"


def _picture(prefix: Path, kind: str) -> Path:
    return prefix.with_name(f"{prefix.name}_{kind}.png")
