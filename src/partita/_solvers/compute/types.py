"""What arrays are called in the solvers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


RankOne = tuple[Array, Array]


Floats = npt.NDArray[np.float64]


Floats = npt.NDArray[np.float64]
