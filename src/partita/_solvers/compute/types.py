"""What arrays are called in the solvers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Spectrum = npt.NDArray[np.complex64]
RankOne = tuple[Array, Array]
"""Weights that are a product: those of samples (n,) and those of features (p,)."""
