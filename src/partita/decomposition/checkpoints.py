"""The state of a long fit in a file beside it, so that a fit that was killed can go on."""

from __future__ import annotations

import hashlib
import json
from os import PathLike
from time import monotonic
from typing import Any

import numpy as np
import xarray as xr

from partita._labels.background import is_background
from partita._labels.stack import Stacker
from partita._labels.warn import warn
from partita._solvers.matrices import products
from partita._solvers.matrices.streamed import Stream
from partita._solvers.nmf.block_update import Visit
from partita._solvers.nmf.frobenius import Saved
from partita._solvers.nmf.hals import Kept
from partita._version import __version__
from partita.decomposition.fit import Seen
from partita.io import atomic
from partita.io.overwriting import CHECKPOINT

_ARRAYS = ("S", "S_old", "L", "L_old")
# Seconds between two states at least, and what share of a fit writing them may take.
_EVERY, _SHARE = 5.0, 0.05
# What may differ between the fit that was killed and the one that goes on.
_FREE = ("max_iter", "verbose")


class Checkpoint:
    """Keeps the state of one fit in a NetCDF file, whole or not there.

    Parameters
    ----------
    path : path
        The file.
    fingerprint : dict
        What a fit has to be to go on from the file.
    """

    def __init__(self, path: str | PathLike[str], fingerprint: dict[str, str]) -> None:
        self.path = atomic.path_of(path, caller="checkpoint=")
        self._fingerprint = fingerprint
        self._last, self._cost = monotonic(), 0.0
        self._warned = False

    def recall(self) -> Saved | None:
        """Return the state in the file; None where there is no file.

        Raises
        ------
        ValueError
            If the file is no checkpoint, or that of another fit.
        """
        if not self.path.exists():
            return None
        try:
            with xr.open_dataset(self.path, engine="h5netcdf") as dataset:
                stored = dataset.load()
        except (OSError, ValueError) as error:
            raise ValueError(
                f"{self.path} is no checkpoint of Partita ({error}). Give another name."
            ) from error
        if CHECKPOINT not in stored.attrs:
            raise ValueError(f"{self.path} is no checkpoint of Partita. Give another name.")
        self._refuse_other(json.loads(stored.attrs[CHECKPOINT]))
        return _restored(stored)

    def _refuse_other(self, stored: dict[str, str]) -> None:
        differ = [name for name, value in self._fingerprint.items() if stored.get(name) != value]
        if not differ:
            return
        name = differ[0]
        raise ValueError(
            f"{self.path} is the checkpoint of another fit: {', '.join(differ)} "
            f"{'differ' if len(differ) > 1 else 'differs'} ({name} there: "
            f"{stored.get(name, 'not there')}, here: {self._fingerprint[name]}). Repeat the call "
            "that was interrupted, give another name, or delete the file."
        )

    def is_due(self) -> bool:
        """Tell whether enough time has passed since the last state."""
        return monotonic() - self._last >= max(_EVERY, self._cost / _SHARE)

    def keep(self, saved: Saved) -> None:
        """Write a state in place of the one before; where that fails the fit goes on."""
        from partita.io.stores.netcdf_writing import write_netcdf  # only a fit that is kept

        began = monotonic()
        try:
            with atomic.replacing(self.path) as (temporary,):
                write_netcdf(self._dataset(saved), temporary, {})
        except OSError as error:
            self._warn(error)
        self._last = monotonic()
        self._cost = self._last - began

    def _warn(self, error: OSError) -> None:
        if self._warned:
            return
        self._warned = True
        before = "the one before is whole" if self.path.exists() else "there is none yet"
        warn(
            f"The checkpoint {self.path} could not be written ({error}); {before}, and the fit "
            "goes on. Make room, or give a name on another disk."
        )

    def _dataset(self, saved: Saved) -> xr.Dataset:
        kept = saved.kept
        assert kept is not None
        arrays = {name: getattr(kept, name) for name in _ARRAYS} | {"losses": kept.losses}
        plain = {
            "pace": list(kept.pace), "residual": kept.residual, "careful": kept.careful,
            "since_plain": kept.since_plain,
            "aim": saved.aim, "revived": list(saved.revived), "passes": saved.passes,
            "report": saved.report,
        }  # fmt: skip
        if kept.seen is not None:
            arrays |= {"A": kept.seen.A, "B": kept.seen.B}
            plain["figures"] = [float(value) for value in kept.seen[2:]]
        variables = {
            name: ([f"{name}_{axis}" for axis in range(array.ndim)], array)
            for name, array in arrays.items()
        }
        attrs = {CHECKPOINT: json.dumps(self._fingerprint), "state": json.dumps(plain)}
        return xr.Dataset(variables, attrs=attrs)

    def remove(self) -> None:
        """Delete the file: the fit has come to its end."""
        self.path.unlink(missing_ok=True)


def _restored(stored: xr.Dataset) -> Saved:
    plain = json.loads(stored.attrs["state"])
    seen = None
    if "figures" in plain:
        seen = Visit(stored["A"].values, stored["B"].values, *plain["figures"])
    S, S_old, L, L_old = (np.ascontiguousarray(stored[name].values) for name in _ARRAYS)
    kept = Kept(
        S, S_old, L, L_old, (plain["pace"][0], plain["pace"][1]), seen, stored["losses"].values,
        plain["residual"], plain["careful"], plain["since_plain"],
    )  # fmt: skip
    revived = tuple(plain["revived"])
    return Saved(kept, plain["aim"], revived, plain["passes"], plain["report"])


def keeper(path: str | PathLike[str], seen: Seen, model: Any) -> Checkpoint:
    """Return what keeps the state of the fit of a recording.

    Raises
    ------
    ValueError
        If another solver than that of the Frobenius loss takes it.
    """
    plain = model.loss in ("frobenius", 2)
    if not plain or isinstance(seen.weights, np.ndarray):
        given = "entrywise weights" if plain else f"loss={model.loss!r}"
        raise ValueError(
            "checkpoint= keeps the state of the Frobenius solver, and this fit has "
            f"{given}, which another one solves. Leave checkpoint=None."
        )
    facts = fingerprint(model.get_params(), seen.stacker, seen.matrix, seen.weights)
    return Checkpoint(path, facts)


def fingerprint(
    parameters: dict[str, Any], stacker: Stacker, matrix: Any, weights: Any
) -> dict[str, str]:
    """Return what a fit is, in short texts: parameters, data and how they are read.

    Parameters
    ----------
    parameters : dict
        Of the estimator; a random state that is no number plays no part.
    stacker : Stacker
        Dimensions and coordinates.
    matrix : ndarray, scipy.sparse matrix or Stream
        Data, of which dtype, shape and norm count.
    weights : tuple of ndarray, or None
        Weights of samples and features.
    """
    seed = parameters["random_state"]
    kept = {
        name: value
        for name, value in sorted(parameters.items())
        if name not in (*_FREE, "random_state")
    }
    if isinstance(seed, int | np.integer):
        kept["random_state"] = int(seed)
    coords = [
        (str(name), coord)
        for name, coord in sorted(stacker.coords.coords.items(), key=str)
        if not is_background(name, coord, sample_dim=stacker.sample_dim)
    ]
    facts: dict[str, Any] = {name: _short(value) for name, value in kept.items()}
    facts["version of Partita"] = __version__
    facts["sizes"] = dict(sorted(stacker.sizes.items()))
    facts["dtype"] = str(stacker.dtype)
    facts["coordinates"] = _digest(*[part for name, coord in coords for part in (name, coord)])
    facts["voxels inside"] = "all" if stacker.inside is None else _digest(stacker.inside)
    # How many threads add up what streams decides the last digits.
    facts["values"] = f"{products.norm2(matrix, weights):.9e}"
    facts["weights"] = "none" if weights is None else _digest(*weights)
    facts["order of reading"] = "in memory"
    if isinstance(matrix, Stream):
        facts["order of reading"] = f"{matrix.by_samples}, {_digest(matrix.order)}"
    return {name: str(value) for name, value in facts.items()}


def _short(value: Any) -> str:
    if isinstance(value, xr.DataArray):
        return _digest(value)
    if isinstance(value, xr.Dataset):
        return _digest(*[value[name] for name in sorted(value.variables, key=str)])
    return repr(value)


def _digest(*parts: Any) -> str:
    found = hashlib.blake2b(digest_size=8)
    for part in parts:
        values = part.values if isinstance(part, xr.DataArray) else np.asarray(part)
        plain = values.astype(str) if values.dtype.kind in "OUS" else np.ascontiguousarray(values)
        found.update(str((plain.dtype, plain.shape)).encode())
        found.update(plain.tobytes())
    return found.hexdigest()
