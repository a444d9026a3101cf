"""Maps that are zero outside a box each, such as those of a thousand cells: held by what is inside.

A thousand maps of 512 x 512 pixels take 1 GB in single precision, and a thousand boxes of 20 x 20
pixels 1.6 MB.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]


class Boxes(NamedTuple):
    """Rows over a grid, each by the smallest box that holds all that differs from zero.

    Attributes
    ----------
    shape : numpy.ndarray of int, (n_dims,)
        Of the grid.
    first : numpy.ndarray of int, (n_rows, n_dims)
        Where each box begins.
    sizes : numpy.ndarray of int, (n_rows, n_dims)
        How far it goes; 0 where a row is zero everywhere.
    values : numpy.ndarray, (sum of the boxes' volumes,)
        What is in the boxes, one after the other, each in row-major order.

    Examples
    --------
    >>> rows = np.zeros((2, 4, 5))
    >>> rows[0, 1:3, 2] = [3.0, 4.0]
    >>> boxes = Boxes.of(rows)
    >>> boxes.values.tolist(), boxes.first[0].tolist(), boxes.sizes.tolist()
    ([3.0, 4.0], [1, 2], [[2, 1], [0, 0]])
    >>> bool((boxes.dense() == rows).all())
    True
    """

    shape: Array
    first: Array
    sizes: Array
    values: Array

    @classmethod
    def of(cls, rows: Array, *, outside: Array | None = None) -> Boxes:
        """Return rows (n_rows, *shape) as boxes; places marked in `outside` (*shape) are left out.

        NaN and what is infinite differ from zero, and come back.
        """
        shape = np.array(rows.shape[1:], np.int64)
        first = np.zeros((len(rows), len(shape)), np.int64)
        sizes, values = np.zeros_like(first), []
        for i, row in enumerate(rows):
            kept = row if outside is None else np.where(outside, rows.dtype.type(0), row)
            where = kept != 0
            if not where.any():
                continue
            first[i], sizes[i] = _smallest_box(where)
            values.append(kept[_slices(first[i], sizes[i])].ravel())
        return cls(shape, first, sizes, np.concatenate([*values, np.zeros(0, rows.dtype)]))

    def dense(self) -> Array:
        """Return the rows (n_rows, *shape), zero outside the boxes."""
        rows = np.zeros((len(self.first), *self.shape), self.values.dtype)
        ends = np.cumsum(self.sizes.prod(axis=1))
        for row, first, sizes, end in zip(rows, self.first, self.sizes, ends, strict=True):
            inside = self.values[end - sizes.prod() : end].reshape(sizes)
            row[_slices(first, sizes)] = inside
        return rows


def _smallest_box(where: Array) -> tuple[list[int], list[int]]:
    first, sizes = [], []
    for axis in range(where.ndim):
        others = tuple(other for other in range(where.ndim) if other != axis)
        along = np.flatnonzero(where.any(axis=others))
        first.append(int(along[0]))
        sizes.append(int(along[-1] - along[0] + 1))
    return first, sizes


def _slices(first: Array, sizes: Array) -> tuple[slice, ...]:
    return tuple(slice(int(a), int(a + n)) for a, n in zip(first, sizes, strict=True))
