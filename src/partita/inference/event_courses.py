"""What signals would be if they followed events: boxcars, and the response of the blood to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from scipy.special import gammainc

Array = np.ndarray[Any, Any]
Response = Literal["boxcar", "hemodynamic"]

# SPM's canonical response: two gamma densities with peaks near 5 and 15 s, the second a sixth of
# the first (Friston et al. 1998, NeuroImage 7:30-40), 32 s long.
_SHAPES, _RATIO, _LENGTH = (6.0, 16.0), 1 / 6, 32.0
# Of the interval between samples: how finely the response is known before it is interpolated.
_FINENESS = 8


def event_course(
    onset: Array, duration: Array, *, step: float, response: Response
) -> Callable[[Array], Array]:
    """Return what gives the course of events at the samples that begin at given times.

    Parameters
    ----------
    onset, duration : numpy.ndarray, (n_events,)
        s; an instant counts as one sample.
    step : float
        Between samples, s.
    response : {"boxcar", "hemodynamic"}
        A boxcar is the share of the sample that events fill; the hemodynamic response to it is
        taken at the middle of the sample.
    """
    ends = onset + np.where(duration > 0, duration, step)
    if response == "boxcar":
        return _boxcar(onset, ends, step)
    return _hemodynamic(onset, ends, step)


def _boxcar(onset: Array, ends: Array, step: float) -> Callable[[Array], Array]:
    knots = np.unique(np.concatenate([onset, ends]))
    filled = sum(np.clip(knots, a, b) - a for a, b in zip(onset, ends, strict=True))

    def course(times: Array) -> Array:
        until = np.interp(times + step, knots, filled) - np.interp(times, knots, filled)
        return np.asarray(until / step)

    return course


def _hemodynamic(onset: Array, ends: Array, step: float) -> Callable[[Array], Array]:
    fine = step / _FINENESS
    knots = np.arange(onset.min() - fine, ends.max() + _LENGTH + fine, fine)
    delays = np.arange(0, _LENGTH + fine, fine)
    first, second = (gammainc(shape, delays) for shape in _SHAPES)
    risen = first - _RATIO * second  # the integral of the response, up to its end
    values = np.zeros(knots.size)
    for a, b in zip(onset, ends, strict=True):
        values += np.interp(knots - a, delays, risen) - np.interp(knots - b, delays, risen)

    def course(times: Array) -> Array:
        return np.interp(times + step / 2, knots, values)

    return course
