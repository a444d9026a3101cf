"""What every test may ask for."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest

from partita.datasets.rigid_motion import matrices

matplotlib.use("Agg")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real recordings, or skip the test."""
    folder = os.environ.get("PARTITA_REAL_DATA")
    if not folder:
        pytest.skip("PARTITA_REAL_DATA is not set")
    return Path(folder)


@pytest.fixture(scope="session")
def moving_blobs() -> Callable[..., Any]:
    """Return a maker of frames of blobs under a known motion, exact at every place.

    It takes the shape, shifts (n, d) in voxels and angles (n, 1 or 3) in radians, and a spacing,
    and returns frames (n, *shape) between about 0 and 100.
    """
    return _draw_blobs


def _draw_blobs(
    shape: tuple[int, ...],
    shift: np.ndarray,
    angles: np.ndarray,
    *,
    spacing: tuple[float, ...] | None = None,
    noise: float = 0.0,
    seed: int = 0,
) -> np.ndarray:
    rng = np.random.default_rng(seed)
    step = np.ones(len(shape)) if spacing is None else np.array(spacing)
    half = np.abs(step) * np.array(shape) / 2
    count = 40 if len(shape) == 2 else 60
    centres = rng.uniform(-1.3, 1.3, (count, len(shape))) * half
    widths = rng.uniform(1.2, 3.0, count) * np.abs(step).max()
    heights = rng.uniform(20, 100, count)
    grid = np.meshgrid(
        *[s * (np.arange(n) - (n - 1) / 2) for n, s in zip(shape, step, strict=True)],
        indexing="ij",
    )
    places = np.stack(grid, axis=-1).reshape(-1, len(shape))
    frames = []
    for matrix, move in zip(matrices(angles), shift * step, strict=True):
        tissue = (places - move) @ matrix  # the inverse turn, for rows
        squared = ((tissue[:, None] - centres) ** 2).sum(-1)
        frames.append((np.exp(-0.5 * squared / widths**2) @ heights).reshape(shape))
    values = np.array(frames)
    return (values + noise * rng.standard_normal(values.shape)).astype(np.float32)
