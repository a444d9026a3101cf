"""Butterworth filters run forwards and backwards: what they are made of, and what they ask for."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.signal

from partita._labels.numbers import is_positive, is_whole


class Filter(NamedTuple):
    """A zero-phase filter.

    Attributes
    ----------
    sections : numpy.ndarray, (n_sections, 6)
        Second-order sections, run forwards and backwards.
    edge : int
        By how many samples the recording is continued at both ends, turned about its end points.
    keep_level : bool
        Whether a constant passes (low-pass).
    keep_mean : bool
        Whether the mean over time is put back after it was filtered out.
    """

    sections: np.ndarray
    edge: int
    keep_level: bool
    keep_mean: bool


def design(
    kind: str, cuts: dict[str, float], order: int, rate: float, *, keep_mean: bool
) -> Filter:
    """Return the filter of some cuts, Hz, at a rate, Hz."""
    edges = list(cuts.values())
    sections = scipy.signal.butter(
        order, edges if len(edges) > 1 else edges[0], kind, fs=rate, output="sos"
    )
    # As long as `scipy.signal.sosfiltfilt` takes it.
    spared = min(int((sections[:, 2] == 0).sum()), int((sections[:, 5] == 0).sum()))
    return Filter(sections, 3 * (2 * len(sections) + 1 - spared), kind == "lowpass", keep_mean)


def apply(columns: np.ndarray, *, chosen: Filter) -> np.ndarray:
    """Return courses (n_samples, n_columns) filtered; they are overwritten."""
    # About the first sample, so that an offset costs no precision and a constant leaves 0.
    first = columns[0].copy()
    columns -= first
    found: np.ndarray = scipy.signal.sosfiltfilt(
        chosen.sections, columns, axis=0, padlen=chosen.edge
    )
    if chosen.keep_level:
        found += first
    elif chosen.keep_mean:
        found += columns.mean(axis=0) + first
    return found


def require_cuts(cuts: dict[str, float], rate: float, *, caller: str) -> None:
    """Refuse cuts that are no frequencies, or not below half the rate."""
    for name, value in cuts.items():
        if not is_positive(value):
            raise ValueError(f"{name} must be a frequency above 0 Hz, and was {value!r}.")
        if value >= rate / 2:
            raise ValueError(
                f"{caller} with {name}={value:g} Hz needs more than {2 * value:g} samples a "
                f"second, and the recording has {rate:g}: nothing above half its rate, "
                f"{rate / 2:g} Hz, is in it. Choose {name} below that."
            )
    if "lowcut" in cuts and cuts["lowcut"] >= cuts["highcut"]:
        raise ValueError(
            f"lowcut must be below highcut; given: {cuts['lowcut']:g} and {cuts['highcut']:g} Hz. "
            "Were they given in seconds, or exchanged?"
        )


def require_order(order: Any, n_times: int, kind: str) -> None:
    """Refuse what is no order, and one that takes thousands of sections, before they are made."""
    if not is_whole(order) or order < 1:
        raise ValueError(f"order must be a whole number above 0, and was {order!r}. Use 4.")
    if order >= n_times:
        raise _too_short(kind, 3 * (int(order) + 1), n_times)


def _too_short(kind: str, edge: int, n_times: int) -> ValueError:
    return ValueError(
        f"{kind} of this order needs more than {edge} samples, and was given {n_times}. Lower "
        "the order, or take drifts out with detrend."
    )


def require_length(n_times: int, step: float, edge: int, kind: str, cuts: dict[str, float]) -> None:
    """Refuse what is shorter than the ends of the filter or the slowest wave it lets through."""
    if n_times <= edge:
        raise _too_short(kind, edge, n_times)
    if kind == "lowpass":
        return
    slowest = next(iter(cuts.values()))
    if n_times * step < 1 / slowest:
        raise ValueError(
            f"{kind} from {slowest:g} Hz on needs at least one period, {1 / slowest:g} s, and the "
            f"recording lasts {n_times * step:g} s. Raise the cut-off, or take drifts out with "
            "detrend."
        )
