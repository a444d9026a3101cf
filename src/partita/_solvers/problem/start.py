"""Where a fit begins."""

from __future__ import annotations

from typing import NamedTuple

from ..compute.types import Array


class Start(NamedTuple):
    """Factors to begin from, or the name of a way to find them.

    Parameters
    ----------
    name : {"auto", "random", "nndsvd", "nndsvda", "nndsvdar"}
        How to begin, or how the components are found that the given factors lack: those follow,
        started on what the given ones leave over.
    W : ndarray, (n, at most k), optional
        Signals to begin from; solved from H where they are not given.
    H : ndarray, (at most k, p), optional
        Maps to begin from; solved from W where they are not given.
    n_starts : int or "auto"
        Starts tried on a sketch or sample of X.
    sketch : bool, optional
        Whether the fit begins on a sketch or sample of X; by default that goes by size. Losses
        other than Frobenius and entrywise weights never do.
    first : {"W", "H"}
        The factor that is solved first.
    """

    name: str = "auto"
    W: Array | None = None
    H: Array | None = None
    n_starts: int | str = "auto"
    sketch: bool | None = None
    first: str = "W"

    @property
    def given(self) -> bool:
        """Whether factors are given."""
        return self.W is not None or self.H is not None

    def is_whole(self, k: int) -> bool:
        """Whether both factors are given with all their components."""
        return self.W is not None and self.H is not None and self.H.shape[0] == k
