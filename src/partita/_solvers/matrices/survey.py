"""A streamed matrix looked over once: what cannot be used, the norm, and a sample."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..compute.types import Array
from . import products
from .matrix import add
from .streamed import Stream

SAMPLE = 12288
"""Samples or features: on so many the best of several starts leads where it leads on all."""


class Survey(NamedTuple):
    """What the first pass finds.

    `empty` (n_features,) marks the features that are NaN in every sample; `bad` counts the other
    NaN and the infinite values, `negative` the negative ones, `least` is the minimum.
    """

    empty: Array
    bad: int
    negative: int
    least: float


def survey(stream: Stream, columns: Array, rng: np.random.Generator) -> Survey:
    """Read X once: what cannot be used is told; the norm and a sample stay with the stream.

    Parameters
    ----------
    stream : Stream
        The data.
    columns : ndarray of int, (n_features,)
        A canonical order of the features, which sampling follows.
    rng : Generator
        Random numbers.

    Returns
    -------
    Survey
        Features in the recording's order.
    """
    n_features, n_samples = stream.order.size, stream.n_samples
    of_features = n_features >= n_samples
    drawn = rng.permutation(n_features if of_features else n_samples)[:SAMPLE]
    chosen = np.zeros(max(n_features, n_samples), bool)
    chosen[columns[drawn] if of_features else drawn] = True
    if of_features:
        chosen = chosen[stream.order]
    along = of_features is not stream.by_samples  # whether the sample is drawn along p
    (norm2, gaps, counts, totals), parts = stream.run(
        _survey_part, None if along else chosen, chosen if along else None
    )
    if not stream.by_samples:
        gaps = np.concatenate([part.gaps for part in parts])
        totals = np.concatenate([part.totals for part in parts])
    empty_here = gaps == n_samples
    least = min(part.least for part in parts)
    stream.sample = _joined([part.sample for part in parts], turned=stream.by_samples)
    del parts
    if empty_here.any():
        stream.sample = stream.sample[:, ~(empty_here[chosen] if of_features else empty_here)]
    empty = np.zeros(n_features, bool)
    empty[stream.order] = empty_here
    bad = int(counts[0]) - int(empty.sum()) * n_samples
    stream.norm2 = float(norm2[0])
    stream.centred2 = max(stream.norm2 - float(np.square(totals).sum()) / n_samples, 0.0)
    return Survey(empty, bad, int(counts[1]), least)


def _joined(pieces: list[Array], *, turned: bool) -> Array:
    """Return pieces side by side, or one below the other where each is `turned`."""
    widths = [piece.shape[1] for piece in pieces]
    shape = (pieces[0].shape[0], sum(widths))
    whole = np.empty(shape[::-1] if turned else shape, pieces[0].dtype)
    start = 0
    for width in widths:
        piece = pieces.pop(0)  # makes room as it goes
        if turned:
            whole[start : start + width] = piece.T
        else:
            whole[:, start : start + width] = piece
        start += width
    return whole


class _Seen(NamedTuple):
    """Of one part: missing values and sums along its columns, among others."""

    sample: Array
    gaps: Array
    totals: Array
    least: float


def _survey_part(
    X: Array, so_far: Any, rows: Array | None, columns: Array | None
) -> tuple[tuple[Array, ...], _Seen]:
    sample = (X[rows] if columns is None else X[:, columns]).copy()
    least, most = X.min(initial=np.inf), X.max(initial=-np.inf)
    if np.isfinite(least) and np.isfinite(most):
        values, norm2, not_finite = X, products.norm2(X), 0
        gaps = [np.zeros(length, np.int64) for length in X.shape]
    else:
        finite, missing = np.isfinite(X), np.isnan(X)
        values, not_finite = np.where(finite, X, 0), int((~finite).sum())
        norm2 = float(np.square(values, dtype=np.float64).sum())
        gaps = [missing.sum(1), missing.sum(0)]
        least = values.min(initial=0)
    negative = int((values < 0).sum()) if least < 0 else 0
    totals = [values.sum(axis, dtype=np.float64) for axis in (1, 0)]
    sums = np.array([norm2]), gaps[0], np.array([not_finite, negative]), totals[0]
    return add(so_far, sums), _Seen(sample, gaps[1], totals[1], float(least))


def locate(stream: Stream, kind: str) -> tuple[int, int]:
    """Return the first sample and feature whose value is "bad" or "negative": one more pass.

    Features that are NaN in every sample must have been left out of the stream.
    """
    _, parts = stream.run(_locate_part, kind)
    places = []
    for where, found in zip(stream.slices, parts, strict=True):
        for i, j in found:
            along = j + where.start
            sample, place = (along, i) if stream.by_samples else (i, along)
            places.append((int(sample), int(stream.order[place])))
    return min(places)


def _locate_part(X: Array, _: None, kind: str) -> tuple[None, list[tuple[int, int]]]:
    wrong = X < 0 if kind == "negative" else ~np.isfinite(X)
    return None, list(zip(*np.nonzero(wrong), strict=True))
