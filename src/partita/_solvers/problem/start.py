"""Where a fit begins."""

from __future__ import annotations

from typing import NamedTuple

from ..compute.types import Array


class Start(NamedTuple):
    """Factors to begin from; the one that is None is solved from the other.

    With fewer components than the fit has, those missing follow, started by the name in `rest` on
    what the given ones leave over.
    """

    W: Array | None = None
    H: Array | None = None
    rest: str = "auto"
