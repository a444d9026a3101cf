"""Leading singular vectors of a centred matrix that is read part by part."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..compute.types import Array
from ..matrices.matrix import add
from ..matrices.streamed import Stream

SPARE = 10
"""Directions beside those wanted, as usual (Halko, Martinsson & Tropp 2011)."""

MOST = 12
"""Blocks of the Krylov space: two passes and 8 (k + SPARE) n bytes each."""

_TOL = 1e-5  # of a Ritz residual, relative to its value: vectors as good as float32 holds them


class Principal(NamedTuple):
    """X less its mean ~ U * s @ V.

    U is (n_samples, k), s (k,), V (k, n_features), the mean (1, n_features) or (n_samples, 1);
    `norm2` and `mean_norm2` are the squared norms of the centred matrix and of what was taken off.
    """

    U: Array
    s: Array
    V: Array
    mean: Array
    norm2: float
    mean_norm2: float


def principal(stream: Stream, k: int, *, axis: int, rng: np.random.Generator) -> Principal:
    """Find the leading singular vectors by a block Krylov iteration with Ritz residuals.

    Musco & Musco 2015. The Krylov space is that of the shorter side; the products of X with it,
    which the iteration makes anyway, give the Ritz vectors and say when they have settled.

    Parameters
    ----------
    stream : Stream
        The data.
    k : int
        How many.
    axis : int
        0 takes each feature's mean off, 1 each sample's.
    rng : Generator
        Random numbers.

    Returns
    -------
    Principal
        In samples and features as the recording has them.
    """
    centred = _Centred(stream, of_columns=(axis == 1) is stream.by_samples)
    m = min(stream.shape)
    width = min(k + SPARE, m)
    block = np.linalg.qr(rng.standard_normal((m, width)))[0]
    Q, AQ = np.zeros((m, 0)), np.zeros((m, 0))
    while True:
        product = centred.gram(block.T).T
        Q, AQ = np.concatenate([Q, block], axis=1), np.concatenate([AQ, product], axis=1)
        values, vectors = np.linalg.eigh((Q.T @ AQ + AQ.T @ Q) / 2)
        values, vectors = values[::-1][:k], vectors[:, ::-1][:, :k]
        misfit = np.linalg.norm(AQ @ vectors - Q @ vectors * values, axis=0)
        settled = (misfit <= _TOL * np.abs(values)).all()
        if settled or Q.shape[1] >= m or Q.shape[1] // width >= MOST:
            break
        block = product
        for _ in range(3):  # of low rank, what the first leaves is rounding, and not orthogonal yet
            block = np.linalg.qr(block - Q @ (Q.T @ block))[0][:, : m - Q.shape[1]]
    short = Q @ vectors
    long = centred.onto_long(short.T)
    s = np.linalg.norm(long, axis=1)
    long = long / np.where(s > 0, s, 1)[:, None]
    pair = (short, long) if stream.order.size >= stream.n_samples else (long.T, short.T)
    U, V = (part.astype(stream.dtype) for part in pair)
    return Principal(
        U, s.astype(stream.dtype), _own_order(stream, V), centred.labelled_mean(),
        centred.norm2, centred.mean_norm2,
    )  # fmt: skip


class _Centred:
    """A stream less its means, and its products with rows over either side."""

    def __init__(self, stream: Stream, *, of_columns: bool) -> None:
        n, p = stream.shape
        self.stream = stream
        (sums,), along = stream.run(_sums_of_part, None)
        columns = np.concatenate(along)
        self.of_rows: Array | None = None if of_columns else sums / p
        self.of_columns: Array | None = columns / n if of_columns else None
        mean = columns / n if of_columns else sums / p
        self.mean_norm2 = float(np.vdot(mean, mean)) * (n if of_columns else p)
        (norm2,), _ = stream.run(_norm2_of_part, self.of_rows, self.of_columns)
        self.norm2 = float(norm2[0])
        self.along = (stream.order.size >= stream.n_samples) is not stream.by_samples

    def gram(self, rows: Array) -> Array:
        """Return ``rows @ Xc @ Xc.T`` for rows over the short side."""
        if not self.along:
            return self._onto_streamed(self._onto_whole(rows))
        common = (rows.astype(self.stream.dtype), self.of_rows)
        (total,), _ = self.stream.run(_gram_of_part, common, self.of_columns)
        return np.asarray(total.T)

    def onto_long(self, rows: Array) -> Array:
        """Return ``rows @ Xc`` for rows over the short side."""
        return self._onto_streamed(rows) if self.along else self._onto_whole(rows)

    def _onto_streamed(self, rows: Array) -> Array:
        common = (rows.astype(self.stream.dtype), self.of_rows)
        _, parts = self.stream.run(_project_part, common, self.of_columns)
        return np.concatenate(parts, axis=1).astype(np.float64)

    def _onto_whole(self, rows: Array) -> Array:
        rows = rows.astype(self.stream.dtype)
        (total,), _ = self.stream.run(_spread_part, self.of_rows, rows, self.of_columns)
        return np.asarray(total.T)

    def labelled_mean(self) -> Array:
        """Return the mean as (1, n_features) or (n_samples, 1)."""
        of_features = self.of_rows if self.stream.by_samples else self.of_columns
        if of_features is not None:
            return _own_order(self.stream, of_features[None].astype(self.stream.dtype))
        of_samples = self.of_columns if self.stream.by_samples else self.of_rows
        assert of_samples is not None
        return np.asarray(of_samples[:, None].astype(self.stream.dtype))


def _own_order(stream: Stream, rows: Array) -> Array:
    own = np.empty_like(rows)
    own[:, stream.order] = rows
    return own


def _less(X: Array, of_rows: Array | None, of_columns: Array | None) -> Array:
    mean = of_rows[:, None] if of_columns is None and of_rows is not None else of_columns
    return np.asarray((X - mean).astype(X.dtype, copy=False))


def _sums_of_part(X: Array, so_far: tuple[Array] | None, _: None) -> tuple[tuple[Array], Array]:
    return add(so_far, (X.sum(1, dtype=np.float64),)), X.sum(0, dtype=np.float64)


def _norm2_of_part(
    X: Array, so_far: tuple[Array] | None, of_rows: Array | None, of_columns: Array | None
) -> tuple[tuple[Array], None]:
    centred = _less(X, of_rows, of_columns)
    return add(so_far, (np.array([np.square(centred, dtype=np.float64).sum()]),)), None


def _gram_of_part(
    X: Array,
    so_far: tuple[Array] | None,
    common: tuple[Array, Array | None],
    of_columns: Array | None,
) -> tuple[tuple[Array], None]:
    rows, of_rows = common
    centred = _less(X, of_rows, of_columns)
    return add(so_far, ((centred @ (rows @ centred).T).astype(np.float64),)), None


def _project_part(
    X: Array, _: None, common: tuple[Array, Array | None], of_columns: Array | None
) -> tuple[None, Array]:
    rows, of_rows = common
    return None, np.asarray(rows @ _less(X, of_rows, of_columns))


def _spread_part(
    X: Array,
    so_far: tuple[Array] | None,
    of_rows: Array | None,
    rows: Array,
    of_columns: Array | None,
) -> tuple[tuple[Array], None]:
    more = (_less(X, of_rows, of_columns) @ rows.T).astype(np.float64)
    return add(so_far, (more,)), None
