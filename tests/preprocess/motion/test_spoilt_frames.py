"""Frames that are spoilt are told, and change nothing for the others, whatever the transform."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from partita._solvers.registration import rigid
from partita.datasets import simulate_two_photon
from partita.preprocess import estimate_motion

pytestmark = pytest.mark.xdist_group("spoilt_frames")

SHAPE = (40, 48)
N_TIMES = 60
OPTIONS = {"rigid": {}, "translation": {}, "piecewise": {"patch_size": 32}}
WAYS = list(OPTIONS)


def follow(frames: np.ndarray, transform: str) -> xr.Dataset:
    recording = xr.DataArray(frames, dims=("time", "y", "x"))
    return estimate_motion(recording, transform=transform, **OPTIONS[transform])


@pytest.fixture(scope="module")
def shift():
    return np.random.default_rng(4).uniform(-1.5, 1.5, (N_TIMES, 2))


@pytest.fixture(scope="module")
def frames(moving_blobs, shift):
    return 20 + moving_blobs(SHAPE, shift, np.zeros((N_TIMES, 1)), noise=2.0)


@pytest.fixture(scope="module", params=WAYS)
def clean(request, frames):
    """Return the motion of unspoilt frames; its transform is among its attributes."""
    return follow(frames, request.param)


def changes(found: xr.Dataset, clean: xr.Dataset, good=slice(None)) -> np.ndarray:
    """Return how far the tissue is from where it was found unspoilt: corners of the field, voxels.

    A place that all frames share is the reference's, and taken out.
    """
    if "displacement" in found:
        moved = [one["displacement"].values.reshape(N_TIMES, 2, -1) for one in (found, clean)]
    else:
        corners = np.array([[0, 0, SHAPE[0], SHAPE[0]], [0, SHAPE[1], 0, SHAPE[1]], [1] * 4])
        moved = [(one["affine"].values @ corners)[:, :2] for one in (found, clean)]
    change = (moved[0] - moved[1])[good]
    return change - np.median(change, axis=0)


def test_the_motion_is_the_truth(clean, shift):
    error = clean["translation"].values - shift
    assert np.abs(error - np.median(error, axis=0)).max() < 0.15


def test_bad_frames_are_suspect_and_leave_their_neighbours_alone(clean, frames):
    spoilt = frames.copy()
    spoilt[10:13] = 0
    spoilt[30] = 255
    spoilt[40] = np.nan
    spoilt[50] = 100 * np.random.default_rng(0).random(SHAPE)
    bad, lost = [10, 11, 12, 30, 40, 50], [10, 11, 12, 30, 40]
    good = np.setdiff1d(np.arange(N_TIMES), bad)
    found = follow(spoilt, clean.attrs["transform"])
    assert found["suspect"].values[bad].all()
    assert not found["suspect"].values[good].any()
    assert np.abs(changes(found, clean, good)).max() < 0.05
    np.testing.assert_array_equal(found["similarity"][lost], 0)
    assert not found["converged"].values[lost].any()
    assert found["converged"].values[good].all()
    name = "displacement" if "displacement" in found else "translation"
    between = found[name].values[[9, 10, 11, 12, 13]]
    steps = np.diff(between, axis=0)
    np.testing.assert_allclose(steps, np.broadcast_to(steps.mean(axis=0), steps.shape), atol=1e-9)


def test_gain_and_offset_are_not_motion(clean, frames):
    rng = np.random.default_rng(1)
    gain, offset = rng.uniform(0.3, 3, (N_TIMES, 1, 1)), rng.uniform(0, 100, (N_TIMES, 1, 1))
    changed = (gain * (frames + offset)).astype(np.float32)
    found = follow(changed, clean.attrs["transform"])
    assert np.abs(changes(found, clean)).max() < 0.15
    assert np.sqrt((changes(found, clean) ** 2).mean()) < 0.03
    assert not found["suspect"].any()


@pytest.mark.parametrize("transform", WAYS)
def test_a_lasting_jump_is_followed_and_its_frame_suspect(moving_blobs, shift, transform):
    moves = 0.2 * shift
    moves[35:] += [6, -8]
    found = follow(moving_blobs(SHAPE, moves, np.zeros((N_TIMES, 1)), noise=2.0), transform)
    error = found["translation"].values - moves
    assert np.abs(error - np.median(error, axis=0)).max() < 0.15
    np.testing.assert_array_equal(np.flatnonzero(found["suspect"]), [35])


@pytest.mark.parametrize("transform", WAYS)
def test_a_frame_that_jumps_there_and_back_is_suspect(moving_blobs, shift, transform):
    moves = 0.2 * shift
    moves[20] += [5, 5]
    found = follow(moving_blobs(SHAPE, moves, np.zeros((N_TIMES, 1)), noise=2.0), transform)
    np.testing.assert_array_equal(np.flatnonzero(found["suspect"]), [20])


@pytest.mark.parametrize("place", [0, N_TIMES - 1])
def test_of_a_first_or_last_frame_that_lies_elsewhere_that_one_is_suspect(
    moving_blobs, shift, place
):
    moves = 0.2 * shift
    moves[place] += [5, 5]
    frames = moving_blobs(SHAPE, moves, np.zeros((N_TIMES, 1)), noise=2.0)
    for transform in WAYS:
        found = follow(frames, transform)["suspect"]
        np.testing.assert_array_equal(np.flatnonzero(found), [place])


def test_chance_peaks_of_dim_frames_are_suspect():
    truth = simulate_two_photon(
        n_times=300, shape=(96, 96), photons=0.04, motion=0.002, random_state=1
    )
    motion = estimate_motion(truth.recording, transform="translation")
    error = (motion["translation"] - truth["translation"]).values / 0.002
    off = np.hypot(*(error - np.median(error, axis=0)).T)
    assert (off > 5.5).any()
    assert bool(motion["suspect"].values[off > 5.5].all())
    assert motion["suspect"].values[off < 4].mean() < 0.01


def test_frames_whose_steps_did_not_end_are_suspect(frames, monkeypatch):
    monkeypatch.setattr(rigid, "_MAX_ITER", 1)
    found = follow(frames, "rigid")
    assert float((~found["converged"]).mean()) > 0.9
    assert bool(found["suspect"].where(~found["converged"], True).all())


@pytest.fixture(scope="module")
def clean_recordings(moving_blobs):
    """Return recordings of different light and restlessness with nothing wrong in them."""
    made = []
    for seed, (noise, reach) in enumerate([(1, 0.1), (4, 0.5), (10, 1.5), (2, 0.01)]):
        moves = reach * np.random.default_rng(seed).standard_normal((N_TIMES, 2))
        still = np.zeros((N_TIMES, 1))
        made.append(20 + moving_blobs(SHAPE, moves, still, noise=noise, seed=seed))
    return made


@pytest.mark.slow
@pytest.mark.parametrize("transform", WAYS)
def test_of_clean_recordings_one_frame_in_a_hundred_is_suspect_at_most(clean_recordings, transform):
    marked = [follow(frames, transform)["suspect"].values for frames in clean_recordings]
    assert np.mean(marked) <= 0.01


def test_a_clean_recording_has_no_suspects(clean):
    assert not clean["suspect"].any()
    assert float(clean["similarity"].max()) <= 1


@pytest.mark.parametrize("place", [0, 30, N_TIMES - 1])
def test_no_single_frame_decides_the_reference(clean, frames, place):
    spoilt = frames.copy()
    spoilt[place] = 500 * np.random.default_rng(place).random(SHAPE) ** 4
    found = follow(spoilt, clean.attrs["transform"])
    others = np.arange(N_TIMES) != place
    np.testing.assert_array_equal(np.flatnonzero(found["suspect"]), [place])
    change = found["translation"].values - clean["translation"].values
    change = change[others] - np.median(change[others], axis=0)
    assert np.abs(change).max() < 0.02
    moved = np.abs(changes(found, clean, others))
    assert np.sqrt((moved**2).mean()) < 0.005
    assert moved.max() < (0.08 if "displacement" in found else 0.02)
