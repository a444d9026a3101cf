"""What is asked of an estimate of motion: checked, described, and brought to voxels."""

from __future__ import annotations

from typing import Any, NamedTuple, get_args

import numpy as np
import xarray as xr

from partita._labels import checks
from partita._labels.numbers import is_positive, is_whole
from partita._labels.placement import refuse_elsewhere, refuse_other_slice
from partita._solvers.registration.piecewise import DEVIATION, PATCH
from partita.preprocess.motion import tracking
from partita.preprocess.motion.matching import Patches
from partita.preprocess.motion.motion_dataset import require_same
from partita.preprocess.motion.voxel_grid import Per, VoxelGrid

Reference = str | int | xr.DataArray

_KNOWN_REFERENCES = ("robust", "mean")
_LEAST_PATCH = 16  # voxels: a smaller one holds too little structure to match


class Options(NamedTuple):
    """The parameters of `estimate_motion`, as given."""

    transform: tracking.Transform
    reference: Reference
    per: Per
    max_shift: float | None
    smooth_fwhm: float | None
    patch_size: float | None
    max_deviation: float | None

    def require(self, *, caller: str) -> None:
        """Refuse an unknown transform, what another one needs, and what is not above 0."""
        if self.transform not in get_args(tracking.Transform):
            raise ValueError(
                f"{caller} does not know the transform {self.transform!r}. Known: "
                f"{', '.join(map(repr, get_args(tracking.Transform)))}."
            )
        for name, unit in (
            ("max_shift", "space"),
            ("smooth_fwhm", "time (s)"),
            ("patch_size", "space"),
            ("max_deviation", "space"),
        ):
            _require_above_zero(name, getattr(self, name), unit)
        for name in () if self.transform == "piecewise" else ("patch_size", "max_deviation"):
            if getattr(self, name) is not None:
                raise ValueError(
                    f'{name} says how tissue bends, with transform="piecewise"; {caller} was '
                    f"given {name}={getattr(self, name)!r} with transform={self.transform!r}. "
                    f'Leave {name} out, or choose transform="piecewise".'
                )

    def said(self) -> dict[str, object]:
        """Return what history says of the options."""
        given: dict[str, Any] = self._asdict()
        if isinstance(self.reference, xr.DataArray):
            given["reference"] = "given image"
        if self.transform != "piecewise":
            del given["patch_size"], given["max_deviation"]
        return given

    def patches(self, grid: VoxelGrid, *, caller: str) -> Patches:
        """Return the patches in voxels, and refuse to bend volumes or tiny patches."""
        step = np.abs(grid.spacing)
        if self.transform != "piecewise":
            return Patches((PATCH, PATCH), (DEVIATION, DEVIATION))
        if len(grid.axes) != 2:
            raise ValueError(
                f'{caller} with transform="piecewise" bends planes, and was given a volume with '
                f'the axes {", ".join(grid.axes)}. Let each plane move on its own, per="plane", '
                'or use transform="rigid".'
            )
        size, reach = np.full(2, PATCH), np.full(2, DEVIATION)
        if self.patch_size is not None:
            size = np.rint(self.patch_size / step).astype(int)
            _require_patches(self.patch_size, size, grid)
        if self.max_deviation is not None:
            reach = self.max_deviation / step
            _require_within(self.max_deviation, reach, np.minimum(size, grid.shape), grid)
        return Patches((int(size[0]), int(size[1])), (float(reach[0]), float(reach[1])))

    def image(self, laid: xr.DataArray, grid: VoxelGrid, *, caller: str) -> xr.DataArray | None:
        """Return the image to align to, laid out (plane, *axes); None for the robust reference."""
        reference = self.reference
        if isinstance(reference, xr.DataArray):
            return _given_image(reference, laid, grid, caller=caller)
        if is_whole(reference):
            if not -len(laid) <= reference < len(laid):
                raise ValueError(
                    f"There is no frame {reference} to be the reference: the recording has "
                    f"{len(laid)}, counted from 0."
                )
            return laid.isel({grid.samples: int(reference)}, drop=True).compute()
        if isinstance(reference, str) and reference == "mean":
            return tracking.mean_over_time(laid)
        if isinstance(reference, str) and reference == "robust":
            return None
        raise ValueError(
            f"{caller} does not know the reference {reference!r}. Give "
            f"{', '.join(map(repr, _KNOWN_REFERENCES))}, the number of a frame, or an image with "
            f"the recording's coordinates: recording.mean({grid.samples!r})."
        )


def _require_above_zero(name: str, value: object, unit: str) -> None:
    if value is not None and not is_positive(value):
        raise ValueError(
            f"{name} must be a number above 0, in the units of {unit}, or None; it was {value!r}."
        )


def _require_patches(given: float, size: np.ndarray, grid: VoxelGrid) -> None:
    if size.min() >= _LEAST_PATCH:
        return
    units = f" {grid.units}" if grid.units else ""
    least = _LEAST_PATCH * np.abs(grid.spacing).max()
    raise ValueError(
        f"Patches of patch_size={given:g}{units} are {size[0]} by {size[1]} voxels, too few to be "
        f"matched. Make them {_LEAST_PATCH} voxels or more: patch_size={least:g} or above."
    )


def _require_within(given: float, reach: np.ndarray, size: np.ndarray, grid: VoxelGrid) -> None:
    if (reach <= size / 2).all():
        return
    units = f" {grid.units}" if grid.units else ""
    most = (size / 2 * np.abs(grid.spacing)).min()
    raise ValueError(
        f"max_deviation={given:g}{units} is more than half a patch, beyond which a patch cannot be "
        f"told from its surroundings. Lower it to {most:g} or less, or enlarge patch_size."
    )


def _given_image(
    image: xr.DataArray, laid: xr.DataArray, grid: VoxelGrid, *, caller: str
) -> xr.DataArray:
    checks.require_array(image, caller=f"{caller} with reference=")
    wanted = [dim for dim in laid.dims[1:] if laid.sizes[dim] > 1 or dim in image.dims]
    if set(image.dims) != set(wanted):
        raise ValueError(
            f"The reference has the dimensions {tuple(map(str, image.dims))}, and needs "
            f"{tuple(map(str, wanted))}. Take the mean over time of a recording: "
            f"recording.mean({grid.samples!r})."
        )
    refuse_elsewhere(image, laid, caller=f"The reference given to {caller}")
    refuse_other_slice(image, laid, caller=f"The reference given to {caller}")
    for dim in wanted:
        require_same(image, laid, dim, caller=caller, what="reference")
    return grid.lay_out(_with_plane(image, laid)).compute()


def _with_plane(image: xr.DataArray, laid: xr.DataArray) -> xr.DataArray:
    alone = laid.dims[1]
    known = alone in image.dims or str(alone).startswith("_")
    return image if known else image.expand_dims(alone)
