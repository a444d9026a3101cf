"""Draw every voxel over time, with what moved above: one look at how clean a recording is."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
import xarray as xr
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.dates import date2num
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from partita._labels import checks
from partita._labels.align import mask_over
from partita._labels.grid import is_even, same_grid
from partita._labels.numbers import is_finite
from partita.plotting.events import Shades, during, named, shade, shades_of
from partita.plotting.sheets import open_page
from partita.plotting.style import Theme, axis_label, choose_theme, dress
from partita.plotting.traces import Samples, draw_samples, limits_of, samples_of, within
from partita.plotting.views import edges_of
from partita.preprocess.regions import regions_of

Array = np.ndarray[Any, Any]

# As many as a figure of that height and width has pixels for, and some more.
_MOST_VOXELS, _MOST_COLUMNS = 600, 2000
_WIDTH, _HIGH, _LOW = 7.5, 3.4, 1.0  # inches, of the figure, the carpet and a panel above


class Group(NamedTuple):
    """Voxels of one region: its name, and where they are among all."""

    name: str
    places: Array


class Carpet(NamedTuple):
    """What is drawn: standardised voxels (voxel, time), how many of each region, and DVARS."""

    values: Array
    groups: list[tuple[str, int]]
    jumps: Array
    words: str


def plot_carpet(
    recording: xr.DataArray,
    *,
    labels: xr.DataArray | None = None,
    names: Mapping[Any, str] | None = None,
    mask: xr.DataArray | None = None,
    motion: xr.Dataset | xr.DataArray | None = None,
    times: tuple[Any, Any] | None = None,
    events: Any = None,
    vmax: float = 2.0,
    title: str | None = None,
    theme: Literal["light", "dark"] | None = None,
    sample_dim: str = "time",
) -> Figure:
    """Draw voxels against time in grey, sorted by region, below how much changes between frames.

    What happens to the whole brain at once, a movement or a breath, is a vertical stripe, and what
    happens to one region is not. Every voxel is drawn as deviations from its mean over the time
    that is drawn, in standard deviations. The panel above is DVARS, the root mean square over the
    drawn voxels of their change from each frame to the next (`partita.preprocess.dvars` gives it in
    percent, over all voxels).

    Of more than 600 voxels 600 are drawn, spread evenly, every region by its share; more than 2000
    frames are averaged in twos, threes and so on. Of a lazy recording the drawn voxels alone are
    held: it is read once, block by block.

    Parameters
    ----------
    recording : xarray.DataArray, (time, *features) in any order
        Any real values in any units, eager or lazy. Voxels that are NaN in the first frame are left
        out.
    labels : xarray.DataArray, (some feature dimensions), optional
        The tissue or region of each voxel, as whole numbers or words, matched by label; voxels with
        0, "" or NaN are left out. One region by default.
    names : mapping, optional
        What regions are called: ``{1: "cortex", 2: "white matter"}``.
    mask : xarray.DataArray of bool, (some feature dimensions), optional
        The voxels that count; all by default.
    motion : xarray.Dataset or xarray.DataArray (time), optional
        From `partita.preprocess.estimate_motion`, whose displacement between frames is drawn in a
        panel of its own, suspect frames marked; or any other course over the same samples.
    times : (start, stop), optional
        The stretch of time to draw, in the units of the time coordinate.
    events : xarray.Dataset over `event`, or pandas.DataFrame, optional
        What happened: `onset` and `duration` in s, and `trial_type`, shaded above the carpet.
    vmax : float
        Black and white stand for this many standard deviations below and above the mean.
    title : str, optional
        In place of how many voxels are drawn.
    theme : {"light", "dark"}, optional
        "light" by default.
    sample_dim : str
        The dimension of samples.

    Returns
    -------
    matplotlib.figure.Figure
        Panels of one axis of time.

    Raises
    ------
    TypeError
        If `recording` is not a dense DataArray of real numbers, or labels, mask or motion are of
        the wrong kind.
    ValueError
        If labels, mask or motion lie on another grid, no voxel is left, or `vmax` is not above 0.

    References
    ----------
    Power (2017), A simple but useful way to assess fMRI scan qualities, NeuroImage 154.

    Examples
    --------
    >>> truth = partita.datasets.simulate_fusi(n_times=60, shape=(1, 20, 20), random_state=0)
    >>> halves = xr.where(truth.recording.x < truth.recording.x.mean(), 1, 2)
    >>> figure = partita.plotting.plot_carpet(
    ...     truth.recording, labels=halves, names={1: "left", 2: "right"}
    ... )
    >>> [ax.get_ylabel() for ax in figure.axes]
    ['DVARS [sd]', '']
    """
    caller = "plot_carpet"
    checks.require_recording(recording, sample_dim=sample_dim, caller=caller)
    checks.require_dense(recording, caller=caller)
    if not (is_finite(vmax) and vmax > 0):
        raise ValueError(f"vmax must be a finite number of sd above 0; given: {vmax!r}.")
    chosen = choose_theme(theme)
    recording = recording.transpose(sample_dim, ...)
    # The place on the axis of time is the same for every voxel.
    clock = recording.isel(dict.fromkeys(recording.dims[1:], 0), drop=True)
    whole = samples_of(clock, sample_dim)
    shades = during(shades_of(events, whole, theme=chosen, caller=caller), whole, clock, times)
    course = None if motion is None else _course(motion, clock, sample_dim)
    recording = within(recording, sample_dim, times, caller=caller)
    checks.require_samples(recording, sample_dim=sample_dim, caller=caller)
    clock = within(clock, sample_dim, times, caller=caller)
    carpet = _weave(recording, _groups(recording, labels, names, mask))
    samples = samples_of(clock, sample_dim)
    panels: list[tuple[str, Array, Any]] = [("DVARS [sd]", carpet.jumps, None)]
    if course is not None:
        course = within(course, sample_dim, times, caller=caller)
        panels.insert(0, (axis_label(course["course"]), course["course"].values, course["suspect"]))
    heights = (*[_LOW] * len(panels), _HIGH)
    figure = open_page(_WIDTH, 0.6 + sum(heights), colour=chosen.page, layout="constrained")
    with rc_context(chosen.rc):
        *above, below = figure.subplots(
            len(heights), 1, sharex=True, squeeze=False, height_ratios=heights
        )[:, 0]
        for ax, (label, values, suspect) in zip(above, panels, strict=True):
            dress(ax, chosen)
            _draw_course(ax, samples, values, suspect, shades, label=label, theme=chosen)
        figure.align_ylabels(above)
        dress(below, chosen)
        _draw_carpet(below, samples, carpet, vmax=float(vmax), theme=chosen)
        above[0].set_title(
            carpet.words if title is None else title,
            fontsize=chosen.letters.title, color=chosen.ink, loc="left",
        )  # fmt: skip
        if shades.spans:
            figure.legend(handles=named(shades), loc="outside lower center", ncols=6)
    return figure


def _course(motion: Any, clock: xr.DataArray, sample_dim: str) -> xr.Dataset:
    """Return what is drawn of motion, over the samples of the recording, and what is suspect."""
    suspect = None
    if isinstance(motion, xr.Dataset):
        if "framewise_displacement" not in motion:
            raise ValueError(
                "plot_carpet needs the motion that preprocess.estimate_motion returns, or one "
                f"course over time; this Dataset has {', '.join(map(str, motion)) or 'nothing'}. "
                "Choose one: motion['name']."
            )
        suspect = motion.get("suspect")
        motion = motion["framewise_displacement"].assign_attrs(long_name="Displacement")
    checks.require_array(motion, caller="plot_carpet, as motion,")
    if motion.dims != (sample_dim,):
        raise ValueError(
            f"plot_carpet draws one course of motion over {sample_dim!r}; this one has "
            f"{dict(motion.sizes)}. Choose one: motion.isel(...)."
        )
    other = sample_dim in motion.coords and sample_dim in clock.coords
    other = other and not same_grid(motion[sample_dim], clock[sample_dim])
    if motion.sizes[sample_dim] != clock.sizes[sample_dim] or other:
        raise ValueError(
            f"The motion has other samples along {sample_dim!r} than the recording: "
            f"{motion.sizes[sample_dim]} and {clock.sizes[sample_dim]}. Choose those of the "
            f"recording: motion.sel({sample_dim}=recording[{sample_dim!r}])."
        )
    marks = np.zeros(motion.size, bool) if suspect is None else suspect.values.astype(bool)
    coords = {sample_dim: clock[sample_dim]} if sample_dim in clock.coords else {}
    return xr.Dataset(
        {
            "course": (sample_dim, motion.values.astype(float), _words_of(motion)),
            "suspect": (sample_dim, marks),
        },
        coords=coords,
    )


def _words_of(array: xr.DataArray) -> dict[Any, Any]:
    return {"long_name": "motion" if array.name is None else str(array.name)} | array.attrs


def _groups(
    recording: xr.DataArray, labels: Any, names: Mapping[Any, str] | None, mask: Any
) -> list[Group]:
    """Return the voxels of every region that are to be drawn, regions in the order of labels."""
    sample_dim = str(recording.dims[0])
    first = recording.isel({sample_dim: 0}, drop=True)
    inside = np.isfinite(first.values)
    if mask is not None:
        inside &= mask_over(mask, first, caller="The mask").values
    known, codes = [""], np.zeros(inside.shape, int)
    if labels is not None:
        regions = regions_of(labels, recording, sample_dim=sample_dim, caller="plot_carpet")
        shape = [first.sizes[dim] if dim in regions.dims else 1 for dim in first.dims]
        codes = np.broadcast_to(regions.codes.reshape(shape), inside.shape)
        known = [str((names or {}).get(label, label)) for label in regions.labels.tolist()]
    codes = np.where(inside, codes, -1).ravel()
    groups = [Group(name, np.flatnonzero(codes == code)) for code, name in enumerate(known)]
    groups = [group for group in groups if group.places.size]
    if not groups:
        raise ValueError(
            "plot_carpet has no voxel to draw: none is finite, inside the mask and in a region."
        )
    return groups


def _weave(recording: xr.DataArray, groups: list[Group]) -> Carpet:
    """Return the voxels to be drawn, each about its mean in standard deviations."""
    total = sum(group.places.size for group in groups)
    kept = [_spread(group.places, total) for group in groups]
    dims = recording.dims[1:]
    at = np.unravel_index(np.concatenate(kept), tuple(recording.sizes[dim] for dim in dims))
    places = {dim: xr.DataArray(index, dims="voxel") for dim, index in zip(dims, at, strict=True)}
    values = recording.isel(places).values.astype(float)
    values = np.where(np.isfinite(values), values, np.nan).T
    deviations = values - _mean(values, axis=1)[:, None]
    spread = np.sqrt(_mean(deviations**2, axis=1))[:, None]
    deviations = np.divide(deviations, spread, out=np.zeros_like(values), where=spread > 0)
    jumps = np.sqrt(_mean(np.diff(deviations, axis=1) ** 2, axis=0))
    shown = deviations.shape[0]
    words = f"{total} voxels" if shown == total else f"{shown} of {total} voxels"
    rows = [(group.name, len(some)) for group, some in zip(groups, kept, strict=True)]
    return Carpet(deviations, rows, np.append(np.nan, jumps), words)


def _spread(places: Array, total: int) -> Array:
    count = max(1, round(places.size * min(1.0, _MOST_VOXELS / total)))
    return places[np.linspace(0, places.size - 1, count).round().astype(int)]


def _mean(values: Array, *, axis: int) -> Array:
    """Return the mean of what is not NaN; 0 of nothing."""
    there = np.isfinite(values)
    counts = np.maximum(there.sum(axis=axis), 1)
    return np.asarray(np.where(there, values, 0).sum(axis=axis) / counts)


def _draw_course(
    ax: Axes,
    samples: Samples,
    values: Array,
    suspect: Any,
    shades: Shades,
    *,
    label: str,
    theme: Theme,
) -> None:
    shade(ax, shades)
    ax.plot(samples.at, values, color=theme.ink, linewidth=0.8)
    for place in samples.at[suspect.values] if suspect is not None else ():
        ax.axvline(place, color=theme.lines[3], alpha=0.35, linewidth=1.2, zorder=0)
    ax.set_ylim(*limits_of(values))
    ax.yaxis.set_major_locator(MaxNLocator(3))
    ax.set_ylabel(label)
    ax.tick_params(axis="x", labelbottom=False)


def _draw_carpet(ax: Axes, samples: Samples, carpet: Carpet, *, vmax: float, theme: Theme) -> None:
    at, values = _binned(samples.at, carpet.values)
    style: Any = {"cmap": "gray", "vmin": -vmax, "vmax": vmax}
    rows = values.shape[0]
    edges = edges_of(at)
    if is_even(edges):
        ax.imshow(
            values, extent=(edges[0], edges[-1], rows, 0), aspect="auto",
            interpolation="antialiased", **style,
        )  # fmt: skip
    else:
        ax.pcolormesh(edges, np.arange(rows + 1), values, rasterized=True, **style)
    _name_groups(ax, carpet.groups, theme=theme)
    draw_samples(ax, samples, theme=theme)
    ax.set_xlim(edges[0], edges[-1])
    ax.set_ylim(rows, 0)
    side = ax.inset_axes((1.015, 0.0, 0.015, 1.0))
    bar = ax.figure.colorbar(ax.images[0] if ax.images else ax.collections[0], cax=side)
    bar.set_label("deviation [sd]")
    bar.outline.set_visible(False)
    bar.locator = MaxNLocator(4)
    side.tick_params(length=2.5, width=0.6)


def _binned(at: Array, values: Array) -> tuple[Array, Array]:
    """Return neighbouring frames averaged until there are no more than can be seen."""
    days: Any = date2num
    numbers = np.asarray(days(at) if at.dtype.kind == "M" else at, dtype=float)
    several = -(-numbers.size // _MOST_COLUMNS)
    if several == 1:
        return numbers, values
    whole = numbers.size // several * several
    tiles = values[:, :whole].reshape(values.shape[0], -1, several)
    return numbers[:whole].reshape(-1, several).mean(axis=1), tiles.mean(axis=2)


def _name_groups(ax: Axes, groups: list[tuple[str, int]], *, theme: Theme) -> None:
    """Name regions at the left, each beside a stripe of its colour; small ones stay nameless."""
    ends = np.cumsum([0, *(count for _, count in groups)])
    across = ax.get_yaxis_transform()
    ax.spines[["left", "bottom"]].set_visible(False)
    ticks: list[tuple[float, str]] = []
    if len(groups) > 1:
        for number, (start, end) in enumerate(pairwise(ends)):
            colour = theme.lines[number % len(theme.lines)]
            stripe = Rectangle(
                (-0.014, start), 0.01, end - start, transform=across, clip_on=False, color=colour
            )
            ax.add_patch(stripe)
    room = 1.4 * theme.letters.tick / (72 * _HIGH) * ends[-1]
    for (name, _), middle in zip(groups, (ends[1:] + ends[:-1]) / 2, strict=True):
        if name and (not ticks or middle - ticks[-1][0] >= room):
            ticks.append((float(middle), name))
    ax.set_yticks([at for at, _ in ticks], [name for _, name in ticks])
    ax.tick_params(axis="y", length=0, pad=10)
