"""Products of a tile of a matrix with a few rows, compiled: the tile is read where it lies.

BLAS copies each panel of X before it multiplies; with ten or thirty components that copy costs as
much as the product. Here four rows meet four rows, so that sixteen sums stay in registers: the
few rows come in fours, the last of them filled up with zeros.
"""

from __future__ import annotations

import numpy as np

from ..compute.compilation import compiled
from ..compute.types import Array


def in_fours(rows: Array) -> Array:
    """Return the rows with zeros after them, up to a multiple of four."""
    k, width = rows.shape
    if k % 4 == 0:
        return np.ascontiguousarray(rows)
    filled = np.zeros((k + -k % 4, width), rows.dtype)
    filled[:k] = rows
    return filled


@compiled
def combine_rows(S: Array, X: Array, start: int, width: int, C: Array) -> None:
    """Set ``C[j, c]`` to the sum over i of ``S[j, i] * X[i, start + c]``.

    Parameters
    ----------
    S : ndarray, (k, at least n)
        Coefficients; k is a multiple of four.
    X : ndarray, (n, p), C order
        Matrix whose rows are combined.
    start, width : int
        The columns of X.
    C : ndarray, (k, at least width)
        Overwritten.
    """
    k, n = S.shape[0], X.shape[0]
    for j in range(k):
        for c in range(width):
            C[j, c] = 0
    i = 0
    while i + 4 <= n:
        x0, x1 = X[i, start : start + width], X[i + 1, start : start + width]
        x2, x3 = X[i + 2, start : start + width], X[i + 3, start : start + width]
        for j in range(0, k, 4):
            a0, a1, a2, a3 = S[j, i], S[j, i + 1], S[j, i + 2], S[j, i + 3]
            b0, b1, b2, b3 = S[j + 1, i], S[j + 1, i + 1], S[j + 1, i + 2], S[j + 1, i + 3]
            d0, d1, d2, d3 = S[j + 2, i], S[j + 2, i + 1], S[j + 2, i + 2], S[j + 2, i + 3]
            e0, e1, e2, e3 = S[j + 3, i], S[j + 3, i + 1], S[j + 3, i + 2], S[j + 3, i + 3]
            c0, c1, c2, c3 = C[j], C[j + 1], C[j + 2], C[j + 3]
            for c in range(width):
                u, v, w, z = x0[c], x1[c], x2[c], x3[c]
                c0[c] += (a0 * u + a1 * v) + (a2 * w + a3 * z)
                c1[c] += (b0 * u + b1 * v) + (b2 * w + b3 * z)
                c2[c] += (d0 * u + d1 * v) + (d2 * w + d3 * z)
                c3[c] += (e0 * u + e1 * v) + (e2 * w + e3 * z)
        i += 4
    while i < n:
        x0 = X[i, start : start + width]
        for j in range(k):
            a0, c0 = S[j, i], C[j]
            for c in range(width):
                c0[c] += a0 * x0[c]
        i += 1


@compiled
def add_inner_products(X: Array, start: int, L: Array, from_l: int, width: int, A: Array) -> None:
    """Add to ``A[i, j]`` the sum over c of ``X[i, start + c] * L[j, from_l + c]``.

    Parameters
    ----------
    X : ndarray, (n, p), C order
        Matrix whose rows are multiplied.
    start : int
        First column of X.
    L : ndarray, (k, q), C order
        The other rows; k is a multiple of four.
    from_l : int
        Their first column.
    width : int
        How many columns.
    A : ndarray, (n, k)
        Added to.
    """
    k, n = L.shape[0], X.shape[0]
    zero = X.dtype.type(0)
    i = 0
    while i + 4 <= n:
        x0, x1 = X[i, start : start + width], X[i + 1, start : start + width]
        x2, x3 = X[i + 2, start : start + width], X[i + 3, start : start + width]
        for j in range(0, k, 4):
            l0, l1 = L[j, from_l : from_l + width], L[j + 1, from_l : from_l + width]
            l2, l3 = L[j + 2, from_l : from_l + width], L[j + 3, from_l : from_l + width]
            a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = zero
            d0 = d1 = d2 = d3 = e0 = e1 = e2 = e3 = zero
            for c in range(width):
                u, v, w, z = x0[c], x1[c], x2[c], x3[c]
                p, q, r, s = l0[c], l1[c], l2[c], l3[c]
                a0, a1, a2, a3 = a0 + u * p, a1 + u * q, a2 + u * r, a3 + u * s
                b0, b1, b2, b3 = b0 + v * p, b1 + v * q, b2 + v * r, b3 + v * s
                d0, d1, d2, d3 = d0 + w * p, d1 + w * q, d2 + w * r, d3 + w * s
                e0, e1, e2, e3 = e0 + z * p, e1 + z * q, e2 + z * r, e3 + z * s
            _add_four(A, i, j, a0, a1, a2, a3)
            _add_four(A, i + 1, j, b0, b1, b2, b3)
            _add_four(A, i + 2, j, d0, d1, d2, d3)
            _add_four(A, i + 3, j, e0, e1, e2, e3)
        i += 4
    while i < n:
        x0 = X[i, start : start + width]
        for j in range(k):
            l0 = L[j, from_l : from_l + width]
            a0 = zero
            for c in range(width):
                a0 += x0[c] * l0[c]
            A[i, j] += a0
        i += 1


@compiled
def _add_four(A: Array, i: int, j: int, a: float, b: float, c: float, d: float) -> None:
    A[i, j] += a
    A[i, j + 1] += b
    A[i, j + 2] += c
    A[i, j + 3] += d


PANEL = 512
"""Columns of X at a time: with the rows of the factors they stay in cache; 1024 take 6 % longer."""


@compiled
def add_products(X: Array, turned: bool, L: Array, first: int, last: int, A: Array) -> None:
    """Add ``X @ L.T`` over the columns `first` to `last` to A.

    Parameters
    ----------
    X : ndarray, (n, p), or (p, n) where `turned`; C order
        Data.
    turned : bool
        Whether X lies column by column.
    L : ndarray, (k, last - first)
        The rows to multiply with, there; k is a multiple of four.
    first, last : int
        The columns.
    A : ndarray, (n, k), or its transpose where `turned`
        Added to.
    """
    given, part = np.zeros((L.shape[0], PANEL), X.dtype), np.empty((L.shape[0], PANEL), X.dtype)
    for start in range(first, last, PANEL):
        width = min(PANEL, last - start)
        if not turned:
            add_inner_products(X, start, L, start - first, width, A)
            continue
        for j in range(L.shape[0]):
            for c in range(width):
                given[j, c] = L[j, start - first + c]
        spread_turned(X, start, width, given, part, A)


@compiled
def combine_turned(S: Array, X: Array, start: int, width: int, C: Array) -> None:
    """Set C to ``S @ X[start : start + width].T``."""
    products = np.zeros((width, S.shape[0]))
    for at in range(0, X.shape[1], PANEL):
        m = min(PANEL, X.shape[1] - at)
        add_inner_products(X[start : start + width], at, S, at, m, products)
    for j in range(S.shape[0]):
        for c in range(width):
            C[j, c] = products[c, j]


@compiled
def spread_turned(X: Array, start: int, width: int, given: Array, part: Array, A: Array) -> None:
    """Add ``given @ X[start : start + width]`` to A."""
    for at in range(0, X.shape[1], PANEL):
        m = min(PANEL, X.shape[1] - at)
        combine_rows(given, X[start : start + width], at, m, part)
        for j in range(A.shape[0]):
            for c in range(m):
                A[j, at + c] += part[j, c]
