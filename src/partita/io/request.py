"""What the user says of a file beside its path."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from partita._labels.numbers import is_positive
from partita._labels.warn import warn

# How axes are named in files, by a letter or a word.
AXIS_NAMES = {
    "t": "time", "q": "time", "i": "time", "time": "time", "frame": "time", "frames": "time",
    "c": "channel", "s": "channel", "channel": "channel", "channels": "channel",
    "z": "z", "plane": "z", "y": "y", "x": "x",
}  # fmt: skip

_SLOWEST = 0.1  # Hz; slower than any scanner and camera, and as the time between frames is written


class Wanted(NamedTuple):
    """The options of `partita.load`, checked."""

    dataset: str | None = None
    dims: tuple[str, ...] | None = None
    frame_rate: float | None = None
    pixel_size: tuple[float, float] | None = None  # (y, x), mm
    allow_external: bool = False

    @classmethod
    def checked(
        cls,
        *,
        dataset: Any,
        dims: Any,
        frame_rate: Any,
        pixel_size: Any,
        allow_external: bool = False,
    ) -> Wanted:
        """Return the options in plain forms, or refuse them.

        Raises
        ------
        TypeError
            If `dataset` is no text.
        ValueError
            If `dims` is not a sequence of different names; if `frame_rate` or `pixel_size` is not
            a positive number, or a pair of them.
        """
        if dataset is not None and not isinstance(dataset, str):
            raise TypeError(
                f"dataset names what to read, as text; given: {dataset!r}. For instance: "
                "dataset='imaging'."
            )
        return cls(
            dataset,
            _checked_dims(dims),
            _checked_rate(frame_rate),
            _checked_pair(pixel_size),
            bool(allow_external),
        )

    def refuse_dataset(self, path: Path) -> None:
        """Refuse a choice where there is nothing to choose (ValueError)."""
        if self.dataset is not None:
            raise ValueError(
                f"{path} holds one movie, and dataset={self.dataset!r} chooses among several. "
                "Leave it out."
            )

    @property
    def given(self) -> list[str]:
        """The options that say something of the recording."""
        return [name for name in self._fields[:4] if getattr(self, name) is not None]


def _checked_dims(dims: Any) -> tuple[str, ...] | None:
    if dims is None:
        return None
    is_names = isinstance(dims, Sequence) and not isinstance(dims, str)
    if not is_names or not all(isinstance(dim, str) and dim for dim in dims):
        raise ValueError(
            f"dims is a name for each axis in the order of the file; given: {dims!r}. For "
            "instance: dims=('y', 'x', 'time')."
        )
    names = tuple(AXIS_NAMES.get(dim, dim) if len(dim) == 1 else dim for dim in dims)
    if len(set(names)) < len(names):
        raise ValueError(
            f"dims names an axis twice: {names}. Each axis needs a name of its own, for instance "
            "dims=('time', 'y', 'x')."
        )
    return names


def _checked_rate(rate: Any) -> float | None:
    if rate is None:
        return None
    if not is_positive(rate):
        raise ValueError(
            f"frame_rate is in Hz, a number above 0; given: {rate!r}. For instance: frame_rate=30."
        )
    if rate < _SLOWEST:
        warn(
            f"frame_rate is in Hz: {rate:g} Hz are {1 / rate:.3g} s a frame. Was the time between "
            f"frames meant? Give its inverse: frame_rate={1 / rate:.3g}."
        )
    return float(rate)


def _checked_pair(size: Any) -> tuple[float, float] | None:
    if size is None:
        return None
    pair = tuple(size) if isinstance(size, Sequence | np.ndarray) else (size, size)
    if isinstance(size, str) or len(pair) != 2 or not all(is_positive(one) for one in pair):
        raise ValueError(
            "pixel_size is in mm, one number above 0 or a pair (y, x) of them; given: "
            f"{size!r}. For instance, for pixels of 2 µm: pixel_size=0.002."
        )
    return float(pair[0]), float(pair[1])
