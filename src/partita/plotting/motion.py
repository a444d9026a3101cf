"""Draw estimated motion over time, and which frames to distrust."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import xarray as xr
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from partita.plotting.events import named, shade, shades_of
from partita.plotting.sheets import open_page
from partita.plotting.style import Theme, axis_label, choose_theme, dress
from partita.plotting.traces import Samples, draw_samples, limits_of, samples_of, within

# Variables of a motion, and the dimension that each has beside that of samples.
_NEEDED = {
    "translation": ("axis",), "rotation": ("rotation_axis",), "framewise_displacement": (),
    "similarity": (), "suspect": (),
}  # fmt: skip


def plot_motion(
    motion: xr.Dataset,
    *,
    times: tuple[Any, Any] | None = None,
    events: Any = None,
    title: str | None = None,
    theme: Literal["light", "dark"] | None = None,
    sample_dim: str = "time",
) -> Figure:
    """Draw translation, rotation, framewise displacement and similarity against time.

    Suspect frames are marked by bands across all panels and counted in the title.

    Parameters
    ----------
    motion : xarray.Dataset
        From `partita.preprocess.estimate_motion`. Of planes that were registered each on its own,
        choose one: ``motion.isel(z=0)``. Rotations are drawn in degrees, and left out where only
        translation was looked for.
    times : (start, stop), optional
        The stretch of time to draw, in the units of the time coordinate.
    events : xarray.Dataset over `event`, or pandas.DataFrame, optional
        What happened: `onset` and `duration` in s, and `trial_type`, shaded under every panel.
    title : str, optional
        Before the number of suspect frames.
    theme : {"light", "dark"}, optional
        "light" by default.
    sample_dim : str
        The dimension of samples.

    Returns
    -------
    matplotlib.figure.Figure
        One panel below the other on one axis of time.

    Raises
    ------
    TypeError
        If `motion` is not a Dataset.
    ValueError
        If it is no motion over time, or that of several planes.

    Examples
    --------
    >>> truth = partita.datasets.simulate_fusi(
    ...     n_times=30, shape=(1, 40, 40), motion=0.03, rotation=0.2, random_state=0
    ... )
    >>> motion = partita.preprocess.estimate_motion(truth.recording)
    >>> len(partita.plotting.plot_motion(motion).axes)
    4
    """
    _require_motion(motion, sample_dim)
    chosen = choose_theme(theme)
    whole = samples_of(motion["framewise_displacement"], sample_dim)
    shades = shades_of(events, whole, theme=chosen, caller="plot_motion")
    motion = within(motion, sample_dim, times, caller="plot_motion")
    panels = _panels(motion, sample_dim)
    samples = samples_of(motion["framewise_displacement"], sample_dim)
    suspect = motion["suspect"].values.astype(bool)
    figure = open_page(7.5, 0.7 + 1.35 * len(panels), colour=chosen.page, layout="constrained")
    with rc_context(chosen.rc):
        rows = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for ax, panel in zip(rows, panels, strict=True):
            dress(ax, chosen)
            shade(ax, shades)
            _draw(ax, panel, samples, theme=chosen)
            _mark(ax, samples.at, suspect, theme=chosen)
        for ax in rows[:-1]:
            ax.tick_params(axis="x", labelbottom=False)
            draw_samples(ax, samples, theme=chosen)
            ax.set_xlabel("")
        draw_samples(rows[-1], samples, theme=chosen)
        count = f"{int(suspect.sum())} of {suspect.size} frames suspect"
        rows[0].set_title(
            f"{title}: {count}" if title else count,
            fontsize=chosen.letters.title,
            color=chosen.ink,
            loc="left",
        )
        if shades.spans:
            figure.legend(handles=named(shades), loc="outside lower center", ncols=6)
    return figure


def _panels(motion: xr.Dataset, sample_dim: str) -> list[xr.DataArray]:
    """Return what each panel shows: lines over time, one or several."""
    words = dict(motion["rotation"].attrs, units="°", long_name="Rotation")
    degrees = xr.DataArray(
        np.rad2deg(motion["rotation"].transpose(sample_dim, "rotation_axis").values),
        dims=(sample_dim, "rotation_axis"), attrs=words,
        coords={"rotation_axis": motion["rotation_axis"]},
    )  # fmt: skip
    shift = motion["translation"].transpose(sample_dim, "axis")
    panels = [shift.assign_attrs(long_name="Translation")]
    if degrees.values.any():
        panels.append(degrees)
    way = motion["framewise_displacement"].assign_attrs(long_name="Displacement\nbetween frames")
    return [*panels, way, motion["similarity"].assign_attrs(long_name="Similarity", units="")]


def _draw(ax: Axes, panel: xr.DataArray, samples: Samples, *, theme: Theme) -> None:
    lines = panel.values if panel.ndim == 2 else panel.values[:, None]
    names = [str(name) for name in panel[panel.dims[1]].values] if panel.ndim == 2 else [""]
    for number, (line, name) in enumerate(zip(lines.T, names, strict=True)):
        colour = theme.lines[number] if len(names) > 1 else theme.ink
        ax.plot(samples.at, line, color=colour, linewidth=0.8, label=name)
    ax.set_ylim(*limits_of(lines))
    ax.set_ylabel(axis_label(panel))
    if len(names) > 1:
        ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.05), handlelength=1.2)


def _mark(ax: Axes, at: np.ndarray[Any, Any], suspect: np.ndarray, *, theme: Theme) -> None:
    """Mark suspect samples by a line and a wedge at its top."""
    if not suspect.any():
        return
    for place in at[suspect]:
        ax.axvline(place, color=theme.lines[3], alpha=0.35, linewidth=1.2, zorder=0)
    ax.plot(
        at[suspect], np.full(int(suspect.sum()), 0.97), linestyle="", marker="v", markersize=3.5,
        color=theme.lines[3], transform=ax.get_xaxis_transform(), label="_suspect marks",
    )  # fmt: skip


def _require_motion(motion: Any, sample_dim: str) -> None:
    if not isinstance(motion, xr.Dataset):
        raise TypeError(
            "plot_motion needs the Dataset that preprocess.estimate_motion returns, and was given "
            f"{type(motion).__name__}."
        )
    missing = [name for name in _NEEDED if name not in motion]
    if missing:
        raise ValueError(
            "plot_motion needs the Dataset that preprocess.estimate_motion returns; this one "
            f"lacks {', '.join(missing)}."
        )
    lost = [
        dim
        for name, beside in _NEEDED.items()
        for dim in (sample_dim, *beside)
        if dim not in motion[name].dims
    ]
    if lost:
        raise ValueError(
            f"plot_motion draws motion over time, with a line for each axis; this one lacks the "
            f"dimension {lost[0]!r}. Keep it when you select: motion.isel({lost[0]}=[0])."
        )
    others = [str(dim) for dim in motion["translation"].dims if dim not in (sample_dim, "axis")]
    if others:
        raise ValueError(
            f"plot_motion draws one series; this motion has {motion.sizes[others[0]]} along "
            f"{others[0]!r}. Choose one: motion.isel({others[0]}=0)."
        )
