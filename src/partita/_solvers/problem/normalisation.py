"""One scale and one order for components."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..compute.types import Array


class Canonical(NamedTuple):
    """Factors with unit maps, where each component came from, and how long its map was there."""

    W: Array
    H: Array
    order: npt.NDArray[np.intp]
    lengths: npt.NDArray[np.float64]


def canonicalise(W: Array, H: Array, *, keep_order: int = 0) -> Canonical:
    """Bring the maps to unit length and the components into order of energy, largest first.

    Parameters
    ----------
    W : ndarray, (n, k)
        Signals.
    H : ndarray, (k, p)
        Maps; a map of zeros stays one, and its signal becomes zero.
    keep_order : int
        This many components stay first, in the order given.

    Returns
    -------
    Canonical
        W, H, `order`, the old index of each component, and `lengths`, of the old maps.

    Examples
    --------
    >>> import numpy as np
    >>> W, H, order, lengths = canonicalise(np.ones((2, 2)), np.array([[0.0, 1.0], [3.0, 4.0]]))
    >>> H.round(6).tolist(), order.tolist(), lengths.tolist()
    ([[0.6, 0.8], [0.0, 1.0]], [1, 0], [1.0, 5.0])
    """
    lengths = _lengths(H, axis=1)
    strength = lengths * _lengths(W, axis=0)
    rest = np.argsort(-strength[keep_order:], kind="stable") + keep_order
    order = np.concatenate([np.arange(keep_order), rest]).astype(np.intp)
    inverse = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    unit = H[order] * inverse[order, None].astype(H.dtype)
    return Canonical(W[:, order] * lengths[order].astype(W.dtype), unit, order, lengths)


def energies(W: Array, H: Array) -> npt.NDArray[np.float64]:
    """Return ``|w_j|^2 |h_j|^2``, the sum of squares of each component's part, in float64."""
    return np.square(_lengths(W, axis=0) * _lengths(H, axis=1))


def _lengths(factor: Array, *, axis: int) -> npt.NDArray[np.float64]:
    return np.array([_length(row) for row in (factor if axis == 1 else factor.T)], np.float64)


def _length(row: Array) -> float:
    largest = float(np.abs(row).max(initial=0.0))
    if largest == 0.0:
        return 0.0
    return largest * float(np.linalg.norm(row.astype(np.float64) / largest))
