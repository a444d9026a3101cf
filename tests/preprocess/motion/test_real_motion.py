"""Registration of real recordings: steadier, crisper, and aligned where a landmark tells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy import ndimage

import partita as pt
from partita.preprocess import apply_motion, estimate_motion, register, tsnr

pytestmark = pytest.mark.realdata

INNER = {"y": slice(12, -12), "x": slice(12, -12)}
TRANSFORMS = ("translation", "rigid", "piecewise")


@pytest.fixture(scope="module")
def movie(real_data: Path) -> xr.DataArray:
    """Return 20 noisy two-photon frames, the first of which lies 7 pixels off in x."""
    return pt.load(real_data / "movies" / "example.tif", frame_rate=10.0).load()


@pytest.fixture(scope="module")
def spine(real_data: Path) -> xr.DataArray:
    """Return two frames of a spinal cord that bent between them."""
    frames = [
        pt.load(real_data / "movies" / f"spinalImaging01_{name}.tif").load()
        for name in ("ref", "template")
    ]
    return xr.concat(frames, "time", join="override").assign_coords(time=[0.0, 1.0])


def steadiness(recording: xr.DataArray) -> float:
    return float(tsnr(recording).isel(INNER).median())


def crispness(recording: xr.DataArray) -> float:
    """Return the slope of the mean image, rms, without what is mostly noise."""
    mean = recording.mean("time").values.astype(float)
    smooth = xr.DataArray(
        ndimage.gaussian_gradient_magnitude(mean, 1.5), dims=recording.mean("time").dims
    )
    return float(np.sqrt((smooth.isel(INNER) ** 2).mean()))


def likeness(recording: xr.DataArray) -> float:
    """Return the mean correlation of frames with the mean of all."""
    inner = recording.isel(INNER).astype(float)
    return float(xr.corr(inner, inner.mean("time"), dim=["y", "x"]).mean())


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_a_two_photon_movie_becomes_steady_and_crisp(movie, transform):
    motion = estimate_motion(movie, transform=transform)
    still = apply_motion(movie, motion)
    # The motion of other frames smooths as much by interpolation, and aligns nothing.
    control = apply_motion(movie, motion.roll(time=10, roll_coords=False))
    for measure, over_control, over_raw in (
        (steadiness, 1.01, 1.1),
        (crispness, 1.3, 1.08),
        (likeness, 1.15, 1.12),
    ):
        assert measure(still) > over_control * measure(control), measure.__name__
        assert measure(still) > over_raw * measure(movie), measure.__name__


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_the_first_frame_is_found_seven_pixels_off_and_suspect(movie, transform):
    motion = estimate_motion(movie, transform=transform)
    course = motion["translation"].sel(axis="x")
    assert float(course[0] - course[1:].median()) == pytest.approx(7, abs=1.5)
    assert float(abs(motion["translation"][1:]).max()) < 4
    assert list(np.flatnonzero(motion["suspect"])) == [0]
    assert bool(motion["converged"].all())
    if transform == "rigid":
        assert float(abs(motion["rotation"]).max()) < np.deg2rad(0.3)


def test_transforms_agree_on_where_the_frames_are(movie):
    shifted, turned, bent = (
        estimate_motion(movie, transform=one)["translation"].values for one in TRANSFORMS
    )
    assert np.abs(bent - shifted).max() < 0.2
    # Twenty dim frames: those in the mean that they are turned towards are drawn to where they lay.
    assert np.abs(turned - shifted).max() < 0.5


def vessel(frame: xr.DataArray, rows: slice, columns: slice) -> float:
    """Return the darkest row of a vessel that runs across the columns."""
    profile = frame.isel(y=rows, x=columns).mean("x").values.astype(float)
    return rows.start + float(ndimage.gaussian_filter1d(profile, 2).argmin())


LEFT = [(slice(240, 330), slice(*columns)) for columns in ((200, 240), (150, 200))]
RIGHT = [(slice(95, 180), slice(*columns)) for columns in ((300, 340), (340, 380), (380, 420))]


def gaps(pair: xr.DataArray, places: list[tuple[slice, slice]]) -> np.ndarray:
    return np.array([vessel(pair[1], *place) - vessel(pair[0], *place) for place in places])


def test_vessels_of_a_spinal_cord_that_bent_come_to_lie_on_each_other(spine):
    left, right = gaps(spine, LEFT), gaps(spine, RIGHT)
    assert left.min() < -8
    assert right.max() < -15
    still = register(spine, transform="piecewise", reference=0, max_deviation=15)
    assert np.abs(gaps(still, LEFT)).max() <= 1
    assert np.abs(gaps(still, RIGHT)).max() < 0.5 * np.abs(right).min()
    alike = [
        float(xr.corr(pair[0].isel(INNER), pair[1].isel(INNER)))
        for pair in (spine, register(spine, transform="translation", reference=0), still)
    ]
    assert alike[0] + 0.02 < alike[1] + 0.005 < alike[2] + 0.001
