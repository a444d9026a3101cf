"""The cluster that dask would use, if there is one."""

from __future__ import annotations

from sys import modules
from typing import Any

import dask.base

from partita._version import __version__


def client() -> Any:
    """Return the distributed client that dask would use, if there is one."""
    if "distributed" not in modules:
        return None
    owner = getattr(dask.base.get_scheduler(), "__self__", None)
    return owner if hasattr(owner, "nthreads") else None


def dashboard() -> str | None:
    """Return the address at which the work of the cluster can be seen, if there is one."""
    cluster = client()
    try:
        return None if cluster is None else cluster.dashboard_link or None
    except KeyError:  # a scheduler without one
        return None


def futures_of(collection: Any) -> list[Any]:
    """Return the blocks of a dask collection that a cluster holds."""
    if "distributed" not in modules:
        return []
    import distributed

    return list(distributed.futures_of(collection))


def refuse_other_versions(cluster: Any) -> None:
    """Refuse workers whose Partita is another one: what is sent to them would not be theirs."""
    answers = cluster.run(_version, on_error="return")
    for failed in answers.values():
        if isinstance(failed, Exception) and not isinstance(failed, OSError):
            raise failed
    # One that is lost just now, whose connection is an OSError, has no version.
    others = {w: v for w, v in answers.items() if v != __version__ and isinstance(v, str)}
    if others:
        worker, version = next(iter(others.items()))
        raise RuntimeError(
            f"{len(others)} of the cluster's workers have another version of Partita: {version} at "
            f"{worker}, and here it is {__version__}. Install the same version on all of them."
        )


def _version() -> str:
    return __version__
