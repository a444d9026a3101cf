"""How much of a recording a model explains, in the two ways that papers count it."""

from __future__ import annotations

import math
from typing import NamedTuple

import xarray as xr

from partita._solvers.matrices.spread import Spread

_MEANINGS = {
    "r2": "share of the variance over samples that is explained (R²)",
    "vaf": "share of the squares that is explained (variance accounted for, not centred)",
}


class Explained(NamedTuple):
    """Shares of a recording that a model explains; NaN where there is nothing to explain."""

    r2: float = math.nan
    vaf: float = math.nan

    @classmethod
    def of(cls, spread: Spread, left2: float) -> Explained:
        """Return them for what the squares of the residual add up to."""
        return cls(_share(left2, spread.centred), _share(left2, spread.total))

    def labelled(self) -> xr.Dataset:
        """Return them with their meanings."""
        return xr.Dataset(
            {
                name: ((), float(value), {"long_name": _MEANINGS[name], "units": "1"})
                for name, value in self._asdict().items()
            }
        )


def _share(left2: float, whole2: float) -> float:
    return 1 - left2 / whole2 if whole2 > 0 else math.nan
