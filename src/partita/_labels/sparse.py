"""Recordings whose values are mostly zero: a DataArray over a sparse matrix."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import xarray as xr


def from_sparse(
    matrix: Any,
    *,
    dims: Sequence[str],
    coords: Mapping[Hashable, Any] | None = None,
    name: Hashable = None,
    attrs: Mapping[str, Any] | None = None,
) -> xr.DataArray:
    """Return a labelled recording over a sparse matrix; nothing is made dense.

    Spike counts, networks and expression tables are mostly zeros. `NMF` takes the result as it is.

    Parameters
    ----------
    matrix : scipy.sparse matrix or array, (n_samples, n_features)
        Counts or weights.
    dims : sequence of str
        The names of its two dimensions, such as ``("time", "neuron")``.
    coords : mapping, optional
        Coordinates, as `xarray.DataArray` takes them.
    name : hashable, optional
        The recording's name.
    attrs : mapping, optional
        Attributes, such as ``{"units": "1"}``.

    Returns
    -------
    xarray.DataArray, (dims)
        Backed by ``sparse.COO``.

    Raises
    ------
    TypeError
        If `matrix` is not a scipy.sparse matrix.
    ValueError
        If `dims` does not name two dimensions.
    ImportError
        If the package ``sparse`` is missing.

    Examples
    --------
    >>> import scipy.sparse
    >>> counts = scipy.sparse.random_array((100, 20), density=0.05, rng=0)
    >>> partita.from_sparse(counts, dims=("time", "neuron")).sizes["neuron"]
    20
    """
    if not hasattr(matrix, "tocoo"):
        raise TypeError(
            f"from_sparse needs a scipy.sparse matrix, and was given {type(matrix).__name__}. A "
            "dense array needs no help: xr.DataArray(values, dims=('time', 'neuron'))."
        )
    if len(dims) != 2:
        raise ValueError(f"from_sparse needs the names of two dimensions, and was given {dims!r}.")
    try:
        import sparse
    except ImportError as error:
        raise ImportError(
            'Sparse recordings need the package sparse: pip install "partita[sparse]".'
        ) from error
    values = sparse.COO.from_scipy_sparse(matrix)
    return xr.DataArray(values, dims=tuple(dims), coords=coords, name=name, attrs=attrs)
