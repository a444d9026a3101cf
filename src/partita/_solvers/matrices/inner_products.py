"""Products of the rows of a block with a few other rows, compiled: the block is read where it lies.

BLAS copies a block before it multiplies; with ten or thirty rows that costs as much as the product.
Here four rows meet four rows, so that sixteen sums stay in registers.
"""

from __future__ import annotations

import numpy as np

from ..compute.compilation import compiled
from ..compute.types import Array

# Columns at a time: of 300 x 60 000 and 751 x 18 240 twice as many take 3 to 5 % longer, half as
# many 9 to 11 %.
_PANEL = 512
# Rows of a product before it is added: with half and twice as many, fits of 20 000 x 1000 take 9
# and 5 % longer.
_TALLEST = 1 << 13
FEWEST = 4
"""Rows that are multiplied four at a time, as the compiled loop takes them, at least."""


def panels(width: int, most: int = _PANEL) -> list[slice]:
    """Cut columns into panels that stay in cache."""
    return [slice(a, min(a + most, width)) for a in range(0, width, most)]


def add_products(X: Array, block: slice, L: Array, A: Array) -> None:
    """Add ``X[:, block] @ L.T`` to A, the way both lie, summed panel by panel.

    Parameters
    ----------
    X : ndarray, (n, p)
        Matrix of which some columns are multiplied.
    block : slice
        Which.
    L : ndarray, (k, width)
        The other rows, there.
    A : ndarray, (n, k)
        Added to.
    """
    in_place = X.flags.c_contiguous and FEWEST <= len(X) <= _TALLEST
    for panel in panels(L.shape[1]):
        columns = slice(block.start + panel.start, block.start + panel.stop)
        if in_place:
            A += _inner_products(X, columns, L[:, panel])
            continue
        for rows in panels(len(X), _TALLEST):
            if A.flags.c_contiguous:
                A[rows] += X[rows, columns] @ L[:, panel].T
            else:
                A.T[:, rows] += L[:, panel] @ X[rows, columns].T


def _inner_products(X: Array, columns: slice, L: Array) -> Array:
    k, width = L.shape
    rows = np.zeros((k + -k % 4, width), X.dtype)
    rows[:k] = L
    products = np.empty((len(X), len(rows)), X.dtype)
    _set_inner_products(X, columns.start, rows, products)
    return products[:, :k]


@compiled
def _set_inner_products(X: Array, start: int, L: Array, A: Array) -> None:
    """Set ``A[i, j]`` to the sum over c of ``X[i, start + c] * L[j, c]``; L has rows in fours."""
    n, k, width = X.shape[0], L.shape[0], L.shape[1]
    zero = X.dtype.type(0)
    for group in range(0, n, 4):
        i = group if group + 4 <= n else n - 4  # the last four may have been among those before
        x0, x1 = X[i, start : start + width], X[i + 1, start : start + width]
        x2, x3 = X[i + 2, start : start + width], X[i + 3, start : start + width]
        for j in range(0, k, 4):
            l0, l1, l2, l3 = L[j], L[j + 1], L[j + 2], L[j + 3]
            a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = zero
            d0 = d1 = d2 = d3 = e0 = e1 = e2 = e3 = zero
            for c in range(width):
                u, v, w, z = x0[c], x1[c], x2[c], x3[c]
                p, q, r, s = l0[c], l1[c], l2[c], l3[c]
                a0, a1, a2, a3 = a0 + u * p, a1 + u * q, a2 + u * r, a3 + u * s
                b0, b1, b2, b3 = b0 + v * p, b1 + v * q, b2 + v * r, b3 + v * s
                d0, d1, d2, d3 = d0 + w * p, d1 + w * q, d2 + w * r, d3 + w * s
                e0, e1, e2, e3 = e0 + z * p, e1 + z * q, e2 + z * r, e3 + z * s
            A[i, j], A[i, j + 1], A[i, j + 2], A[i, j + 3] = a0, a1, a2, a3
            A[i + 1, j], A[i + 1, j + 1], A[i + 1, j + 2], A[i + 1, j + 3] = b0, b1, b2, b3
            A[i + 2, j], A[i + 2, j + 1], A[i + 2, j + 2], A[i + 2, j + 3] = d0, d1, d2, d3
            A[i + 3, j], A[i + 3, j + 1], A[i + 3, j + 2], A[i + 3, j + 3] = e0, e1, e2, e3
