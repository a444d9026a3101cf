"""Recordings larger than memory: read in blocks of time, and never held."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
from scipy import ndimage

from partita._solvers.registration import frame_resampling
from partita.preprocess import apply_motion, estimate_motion
from partita.preprocess.motion import tracking

pytestmark = pytest.mark.slow

N_TIMES = {"rigid": 600, "translation": 440, "piecewise": 440}
"""Enough that what is held beside a reference, as long as some 150 frames, counts for little."""
PERIOD = 9


@pytest.fixture(scope="module", autouse=True)
def small_blocks():
    """Hold little at a time, as a large recording is held, and make blocks in turn."""
    with pytest.MonkeyPatch.context() as patch, dask.config.set(scheduler="synchronous"):
        patch.setattr(tracking, "_SPAN_BYTES", 1 << 16)
        patch.setattr(tracking, "_SAMPLE_BYTES", 1 << 16)
        patch.setattr(frame_resampling, "_BLOCK_BYTES", 1 << 16)
        yield


def endless(shape: tuple[int, int], *, n_times: int, block: int) -> xr.DataArray:
    """Return a lazy recording whose frames are made where they are asked for."""
    rng = np.random.default_rng(0)
    scene = 2000 * ndimage.gaussian_filter(rng.random(shape, "f4"), 1.5, mode="wrap")

    def draw(block_info=None):
        (start, stop), *_ = block_info[None]["array-location"]
        noise = np.random.default_rng(start).standard_normal((stop - start, *shape), np.float32)
        for frame, move in zip(noise, places(np.arange(start, stop)).tolist(), strict=True):
            frame += np.roll(scene, move, (0, 1))
        return noise

    chunks = ((block,) * (n_times // block), *((size,) for size in shape))
    values = da.map_blocks(draw, chunks=chunks, dtype="f4", meta=np.empty((0, 0, 0), "f4"))
    return xr.DataArray(values, dims=("time", "y", "x"))


def places(number: np.ndarray) -> np.ndarray:
    """Return where the tissue is in frames of given numbers: whole voxels, (n, 2)."""
    return np.stack([number % PERIOD % 3 - 1, number % PERIOD // 3 - 1], axis=1)


def peak_of(work: Callable[[], Any]) -> tuple[Any, int]:
    """Return what `work` answers, and the most memory that it took on the way."""
    tracemalloc.start()
    try:
        return work(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "transform", ["rigid", "translation", pytest.param("piecewise", marks=pytest.mark.slow)]
)
def test_motion_is_found_without_the_recording_being_held(transform):
    recording = endless((48, 40), n_times=N_TIMES[transform], block=8)
    estimate_motion(recording[:16], transform=transform)  # what is compiled is held for good
    motion, peak = peak_of(lambda: estimate_motion(recording, transform=transform))
    assert peak < 0.4 * recording.nbytes
    error = motion["translation"].values - places(np.arange(len(recording)))
    assert np.abs(error - np.median(error, axis=0)).max() < 0.2


@pytest.mark.parametrize("transform", N_TIMES)
def test_motion_is_taken_out_block_by_block(transform):
    recording = endless((96, 80), n_times=40 * PERIOD, block=PERIOD)
    few = estimate_motion(recording[: 2 * PERIOD], transform=transform)
    motion = few.isel(time=np.arange(len(recording)) % PERIOD)
    inner = {"y": slice(6, -6), "x": slice(6, -6)}
    scene = motion["reference"].isel(inner)
    for fill in ("nearest", "outside"):
        still = apply_motion(recording, motion, fill=fill).isel(inner)
        left, peak = peak_of(lambda still=still: float(abs(still - scene).mean()))
        assert peak < 0.4 * recording.nbytes
        assert left < 0.05 * float(scene.std())
