"""What `partita run` writes: where it may, and the pictures beside the model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray as xr

    from partita.decomposition import NMF

# Suffixes of one file that holds the whole model; other names are prefixes of several.
WHOLE = (".nc", ".zarr")
_PICTURES = ("components", "map")


def refuse_place(out: Path, source: Path, checkpoint: Path | None, *, force: bool) -> None:
    """Refuse, before there is work to lose, to write the results over what is read or foreign.

    Parameters
    ----------
    out : pathlib.Path
        The one file, or the prefix of the results.
    source : pathlib.Path
        The recording, as `partita.load` takes it.
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
    places, read = [*places_of(out), *pictures], read_by(source)
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


def draw(model: NMF, recording: xr.DataArray, prefix: Path, *, force: bool) -> list[Path]:
    """Draw the components, and the strongest map where it is; return the pictures' paths."""
    import matplotlib as mpl

    mpl.use("Agg")  # no window opens, and no display is needed
    from matplotlib import pyplot as plt

    from partita.io.atomic import replacing
    from partita.io.overwriting import PICTURE, refuse_other
    from partita.plotting import plot_components, plot_map

    figures: dict[str, Any] = {"components": plot_components(model)}
    if {"y", "x"} <= set(recording.dims):
        axes = plot_map(model.maps_.isel(component=0), background=recording.mean("time"))
        figures["map"] = axes.get_figure()
    paths = [_picture(prefix, kind) for kind in figures]
    for path, figure in zip(paths, figures.values(), strict=True):
        refuse_other(path, "picture", overwrite=force)
        with replacing(path) as (temporary,):
            figure.savefig(temporary, dpi=150, metadata=PICTURE)
        plt.close(figure)
    return paths


def _picture(prefix: Path, kind: str) -> Path:
    return prefix.with_name(f"{prefix.name}_{kind}.png")
