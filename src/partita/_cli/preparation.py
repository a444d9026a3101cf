"""What `partita run` does to a recording before the fit, in the order that the guide gives."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    import xarray as xr

Recordings = Mapping[str, "xr.DataArray"]

BASELINES = ("minimum", "adaptive", "exponential", "maximin", "percentile", "median", "mean")


class Steps(NamedTuple):
    """What is asked for; `scale` says what makes the values comparable and non-negative."""

    register: bool = False
    mask: str | None = None
    detrend: bool = False
    scale: Literal["zscore", "baseline", "none"] = "zscore"
    baseline: str = "minimum"
    window: float | None = None
    quiet: bool = True

    def registered(self, recording: xr.DataArray) -> xr.DataArray:
        """Return a recording without its motion, where that is asked for."""
        from partita.preprocess import register

        return register(recording, verbose=int(not self.quiet)) if self.register else recording

    def inside(self, recordings: Recordings) -> xr.DataArray | None:
        """Return the mask of all recordings: one that is given, or the brain in their mean."""
        if self.mask is None:
            return None
        if self.mask != "auto":
            return _mask_in(self.mask)
        from partita._labels.align import to_grid
        from partita.preprocess import brain_mask, temporal_mean

        first, *others = (temporal_mean(recording) for recording in recordings.values())
        laid = [to_grid(one, first, besides=(), caller="a recording") for one in others]
        return brain_mask(sum(laid, first) / (1 + len(laid)))

    def scaled(self, recording: xr.DataArray, mask: xr.DataArray | None) -> xr.DataArray:
        """Return a recording without drifts, NaN outside the mask, as z-scores or as ΔF/F."""
        from partita import preprocess
        from partita._labels.align import mask_over

        if self.detrend:
            recording = preprocess.detrend(recording, keep_mean=self.scale != "zscore")
        if mask is not None:
            place = recording.isel(time=0, drop=True)
            recording = recording.where(mask_over(mask, place, caller="the mask"))
        if self.scale == "zscore":
            return preprocess.zscore(recording)
        if self.scale == "none":
            return recording
        how: dict[str, Any] = {"baseline": self.baseline, "verbose": int(not self.quiet)}
        how |= {} if self.window is None else {"window": self.window}
        change: xr.DataArray = preprocess.delta_f_over_f(recording, rectify=True, **how)  # type: ignore[assignment]
        return change

    def signed(self, scaled: xr.DataArray) -> xr.DataArray:
        """Return z-scores as rises and falls; what is not negative as it is."""
        from partita.preprocess import split_sign

        return split_sign(scaled) if self.scale == "zscore" else scaled


def _mask_in(path: str) -> xr.DataArray:
    import partita

    image = partita.load(path, chunks=None)
    inside = image > 0
    return inside.any("time") if "time" in inside.dims else inside


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the steps, in their order."""
    group = parser.add_argument_group("before the fit, in this order")
    group.add_argument("--register", action="store_true", help="take rigid motion out")
    group.add_argument(
        "--mask",
        metavar="auto|FILE",
        help="leave out what is no brain: found in the mean (auto), or 0 in an image",
    )
    group.add_argument("--detrend", action="store_true", help="take a line out of every voxel")
    scale = group.add_mutually_exclusive_group()
    scale.add_argument(
        "--zscore",
        action="store_true",
        help="standardise every voxel and split rises from falls; done unless one of the next two "
        "is given",
    )
    scale.add_argument(
        "--baseline",
        choices=BASELINES,
        metavar="METHOD",
        help=f"ΔF/F over a baseline, for calcium: {', '.join(BASELINES)}",
    )
    scale.add_argument(
        "--no-split",
        action="store_true",
        help="factorise the values as they are, which must not be negative",
    )
    group.add_argument(
        "--window", type=float, metavar="S", help="of the baseline, in s (default: 30)"
    )


def steps_of(arguments: argparse.Namespace) -> Steps:
    """Return the steps that the arguments ask for."""
    if arguments.window is not None and arguments.baseline is None:
        raise ValueError("--window is that of a baseline: give --baseline too, or leave it out.")
    given: dict[str, Any] = {"baseline": arguments.baseline} if arguments.baseline else {}
    return Steps(
        register=arguments.register,
        mask=arguments.mask,
        detrend=arguments.detrend,
        scale="baseline" if given else "none" if arguments.no_split else "zscore",
        window=arguments.window,
        quiet=arguments.quiet,
        **given,
    )
