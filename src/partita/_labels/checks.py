"""Every refusal of a recording is phrased here: what is wrong, what was given, what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xarray as xr

# Where arrays come from that are worked on; xarray's are those still in a file.
_KNOWN = ("numpy", "dask", "sparse", "xarray")


def require_recording(recording: Any, *, sample_dim: str = "time", caller: str) -> None:
    """Refuse what is not a labelled recording with a sample dimension and real numbers.

    Parameters
    ----------
    recording : object
        What the user gave.
    sample_dim : str
        The name of the sample dimension.
    caller : str
        Who asks, for the message.

    Raises
    ------
    TypeError
        If it is not a DataArray, or its values are not real numbers.
    ValueError
        If the sample dimension is missing, there is nothing beside it, or it is empty; if dask
        does not know the sizes of its chunks.
    """
    require_array(recording, caller=caller)
    _refuse_unknown_chunks(recording, caller=caller)
    if sample_dim not in recording.dims:
        raise ValueError(
            f"{caller} needs the sample dimension {sample_dim!r}; this recording has "
            f"{_names(recording.dims)}. Rename the dimension of samples "
            f"(recording.rename(old={sample_dim!r})) or name it with sample_dim=."
        )
    if recording.size == 0:
        raise ValueError(
            f"{caller} was given an empty recording: sizes {dict(recording.sizes)}. "
            "Check the selection that made it."
        )


def _refuse_unknown_chunks(recording: xr.DataArray, *, caller: str) -> None:
    unknown = [dim for dim, size in recording.sizes.items() if size != size]  # NaN
    if unknown:
        raise ValueError(
            f"{caller} needs chunks of known sizes; along {_names(unknown)} they are unknown, as "
            "after a selection whose outcome dask has not computed. Compute them "
            "(recording.data.compute_chunk_sizes(), one pass), or select by labels from what "
            "partita.load(path, chunks=...) returns."
        )


def require_array(array: Any, *, caller: str) -> None:
    """Refuse what is not a DataArray of real numbers (TypeError)."""
    if isinstance(array, xr.Dataset):
        raise TypeError(
            f"{caller} needs one DataArray, and was given a Dataset with the variables "
            f"{_names(array.data_vars)}. Choose one: dataset['name']."
        )
    if type(array).__name__ == "DataFrame":
        labelled = "table.set_index('time')" if "time" in array.columns else "table"
        raise TypeError(
            f"{caller} needs a labelled recording (xarray.DataArray), and was given a DataFrame. "
            f"Make one of it: xr.DataArray({labelled}, dims=('time', 'feature'))."
        )
    if hasattr(array, "get_params"):
        raise TypeError(
            f"{caller} needs one array (xarray.DataArray), and was given the model "
            f"{type(array).__name__}. Give what it has found: model.signals_ or model.maps_."
        )
    if not isinstance(array, xr.DataArray):
        raise TypeError(
            f"{caller} needs a labelled recording (xarray.DataArray), and was given "
            f"{type(array).__name__}. Wrap it: xr.DataArray(values, dims=('time', 'y', 'x'))."
        )
    kept = type(array.variable._data)  # `data` would read what is still in a file
    if kept.__module__.partition(".")[0] not in _KNOWN:
        raise TypeError(
            f"{caller} needs values of numpy, dask or sparse, and was given {kept.__name__}. Make "
            "them plain, recording.as_numpy(); of a quantity, recording.pint.dequantify() keeps "
            "the units."
        )
    if array.dtype.kind not in "iuf" or array.dtype == np.float16:
        remedy = "Convert it first: recording.astype('float32')."
        if array.dtype.kind == "c":  # a cast would keep the real part alone
            remedy = "Take its magnitude: abs(recording)."
        raise TypeError(
            f"{caller} needs real numbers (integers, float32 or float64), and was given "
            f"{array.dtype}. {remedy}"
        )
    _refuse_filled(array, caller=caller)


def _refuse_filled(array: xr.DataArray, *, caller: str) -> None:
    """Refuse a sparse array whose empty places stand for something else than zero (ValueError)."""
    fill = getattr(_kept(array), "fill_value", 0)
    if fill != 0:
        raise ValueError(
            f"{caller} needs zeros where a sparse array stores nothing, and this one means {fill} "
            "there. Make it dense first: recording.as_numpy()."
        )


def _kept(array: xr.DataArray) -> Any:
    """Return what keeps the values, and of lazy ones an example of a block; nothing is read."""
    kept = array.variable._data
    return getattr(kept, "_meta", kept)


def require_features(recording: xr.DataArray, *, sample_dim: str, caller: str) -> None:
    """Refuse a recording with nothing beside its sample dimension (ValueError)."""
    if recording.ndim < 2:
        raise ValueError(
            f"{caller} needs at least one dimension beside {sample_dim!r}, such as y and x or "
            f"neuron; this recording has {_names(recording.dims)} only. Keep a dimension of "
            "length one: recording.expand_dims('neuron')."
        )


def require_samples(recording: xr.DataArray, *, sample_dim: str, caller: str) -> None:
    """Refuse a recording with a single sample (ValueError)."""
    if recording.sizes[sample_dim] < 2:
        raise ValueError(
            f"{caller} needs at least two samples along {sample_dim!r}, and was given "
            f"{recording.sizes[sample_dim]}. Was one volume selected with a slice of length one?"
        )


def require_dense(recording: xr.DataArray, *, caller: str) -> None:
    """Refuse a sparse recording, and lazy blocks of such (TypeError)."""
    kept = type(_kept(recording))
    if kept.__module__.partition(".")[0] == "sparse":
        raise TypeError(
            f"{caller} needs a dense recording, and was given {kept.__name__}. "
            "Make it dense first: recording.as_numpy()."
        )


def require_choice(name: str, value: object, known: Sequence[str]) -> None:
    """Refuse what is none of the words that are known (ValueError)."""
    if value not in known:
        raise ValueError(f"{name} must be {' or '.join(map(repr, known))}, and was {value!r}.")


def promote(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the floating dtype that a recording of `dtype` is worked on in.

    float32, in whichever order of bytes, and integers up to 16 bits give float32, everything else
    float64.
    """
    single = dtype.kind == "f" and dtype.itemsize == 4
    small = single or (dtype.kind in "iu" and dtype.itemsize <= 2)
    return np.dtype(np.float32 if small else np.float64)


def missing_throughout(matrix: Any) -> np.ndarray[Any, Any] | None:
    """Return which columns are NaN in every row; None where nothing is NaN."""
    if not _values_of(matrix).size or not np.isnan(_values_of(matrix).min()):
        return None
    if not isinstance(matrix, np.ndarray):  # a sparse matrix: its empty places are zeros
        return None
    empty: np.ndarray[Any, Any] = np.asarray(np.isnan(matrix).all(axis=0))
    return empty if empty.any() else None


def refuse_isolated(matrix: Any, *, place: Callable[[int, int], str], caller: str) -> None:
    """Refuse NaN and infinite values in a matrix (ValueError).

    Parameters
    ----------
    matrix : array or sparse matrix, (n_samples, n_features)
        Columns that are NaN throughout have been left out before.
    place : callable
        Says in words where a row and a column are.
    caller : str
        Who asks, for the message.
    """
    values = _values_of(matrix)
    if not values.size or (np.isfinite(values.min()) and np.isfinite(values.max())):
        return
    bad = ~np.isfinite(values)
    raise isolated(int(bad.sum()), matrix.shape, _first(matrix, bad, place), caller=caller)


def isolated(count: int, shape: tuple[int, int], first: str, *, caller: str) -> ValueError:
    """Return the refusal of so many NaN or infinite values, the first of them at `first`."""
    return ValueError(
        f"{caller} cannot use NaN or infinite values: {count} of {shape[0]} x {shape[1]} inside "
        f"the mask, the first at {first}. Voxels that are NaN at all times are left out by "
        "themselves. Interpolate or drop the isolated ones; NMF can also pass over them: "
        "fit(recording, weights=np.isfinite(recording))."
    )


def refuse_negative(matrix: Any, *, place: Callable[[int, int], str], caller: str) -> None:
    """Refuse negative values in a matrix (ValueError)."""
    values = _values_of(matrix)
    if not values.size or values.min() >= 0:
        return
    bad = values < 0
    first = _first(matrix, bad, place)
    raise negative(int(bad.sum()), matrix.shape, float(values.min()), first, caller=caller)


def negative(
    count: int, shape: tuple[int, int], least: float, first: str, *, caller: str
) -> ValueError:
    """Return the refusal of so many negative values, the first of them at `first`."""
    return ValueError(
        f"{caller} needs non-negative data; {count} of {shape[0]} x {shape[1]} values are negative "
        f"(minimum {least:g}), the first at {first}. Split the signs with "
        "partita.preprocess.split_sign(recording), or rectify with "
        "partita.preprocess.rectify(recording)."
    )


def _values_of(matrix: Any) -> np.ndarray[Any, Any]:
    """Return the values of an array, the stored ones of a sparse matrix."""
    return matrix if isinstance(matrix, np.ndarray) else np.asarray(matrix.data)


def _first(matrix: Any, bad: np.ndarray[Any, Any], place: Callable[[int, int], str]) -> str:
    if isinstance(matrix, np.ndarray):
        row, column = np.unravel_index(int(np.argmax(bad)), bad.shape)
    else:
        entries = matrix.tocoo()
        row, column = entries.row[bad][0], entries.col[bad][0]
    return place(int(row), int(column))


def _names(names: Any) -> str:
    return "(" + ", ".join(repr(str(name)) for name in names) + ")"


def refuse_unwritable_names(labelled: xr.DataArray | xr.Dataset, *, caller: str) -> None:
    """Refuse names that no file takes, or that it would take for folders.

    Raises
    ------
    TypeError, ValueError
        Naming the dimensions, coordinates and variables, and the remedy.
    """
    names = {*labelled.dims, *labelled.coords, *getattr(labelled, "data_vars", ())}
    odd = sorted((name for name in names if not isinstance(name, str)), key=repr)
    if odd:
        raise TypeError(
            f"{caller} needs dimensions and coordinates named by text, and was given {odd}. "
            "Rename them: rename({old: 'new'})."
        )
    paths = sorted(n for n in names if n in ("", ".", "..") or "/" in n or "\0" in n)
    if paths:
        raise ValueError(
            f"{caller} cannot write {paths}: files take these names for folders, or for none. "
            f"Rename them: rename({{{paths[0]!r}: 'new_name'}})."
        )


def component_labels(factor: xr.DataArray, *, caller: str) -> list[Any]:
    """Return the labels of the components of maps or signals, their numbers where there are none.

    Raises
    ------
    ValueError
        If a component is named twice.
    """
    if "component" not in factor.coords:
        return list(range(factor.sizes["component"]))
    labels: list[Any] = factor["component"].values.tolist()
    twice = [label for label, count in Counter(labels).items() if count > 1]
    if twice:
        raise ValueError(
            f"{caller} names a component twice: {twice} is there more than once, and would count "
            "so. Select each once: sel(component=[...])."
        )
    return labels
