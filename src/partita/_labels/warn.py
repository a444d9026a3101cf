"""Warnings that point at the user's own line."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from types import FrameType

# What stands between a user and this package: the package itself, and those that call it for them.
_HERE = str(Path(__file__).parent.parent)
_CALLERS = ("sklearn", "xarray")


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line outside the package that led here.

    Frames of scikit-learn and xarray count as inside: a pipeline's `fit` and a recording's `pipe`
    only pass on what a user wrote.

    Parameters
    ----------
    message : str
        What is wrong, and what to do.
    category : type
        Of the warning.
    """
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and _is_inside(frame):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level + 1)


def _is_inside(frame: FrameType) -> bool:
    room = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    return room in _CALLERS or frame.f_code.co_filename.startswith(_HERE)
