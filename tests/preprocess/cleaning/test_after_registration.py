"""From registration to cleaning: the frames and the motion it found go straight into the next."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from partita.preprocess import censor, estimate_motion, register, regress_out

JUMPS = (12, 20)
N_TIMES = 50


@pytest.fixture(scope="module")
def stack(moving_blobs):
    """Return two planes that move each on its own, each with a frame of noise."""
    rng = np.random.default_rng(2)
    planes = [
        moving_blobs((24, 28), rng.uniform(-1, 1, (N_TIMES, 2)), np.zeros((N_TIMES, 1)), seed=seed)
        for seed in (0, 1)
    ]
    values = 20 + np.stack(planes, axis=1)
    values += 2 * rng.standard_normal(values.shape)
    for plane, jump in enumerate(JUMPS):
        values[jump, plane] = 100 * rng.random((24, 28))
    coords = {
        "time": ("time", 0.5 * np.arange(N_TIMES), {"units": "s"}),
        "z": ("z", [0.0, 0.4], {"units": "mm"}),
        "y": ("y", 0.1 * np.arange(24), {"units": "mm"}),
        "x": ("x", 0.1 * np.arange(28), {"units": "mm"}),
    }
    return xr.DataArray(values, dims=("time", *"zyx"), coords=coords)


def leftover(clean: xr.DataArray, motion: xr.Dataset) -> float:
    """Return the largest correlation of any voxel with the motion of its frames."""
    courses = motion["translation"].sel(time=clean["time"])
    voxels = clean.stack(voxel=[dim for dim in clean.dims if dim != "time"])
    along = courses.stack(course=[dim for dim in courses.dims if dim != "time"])
    found = np.corrcoef(voxels.transpose("voxel", "time"), along.transpose("course", "time"))
    return float(np.abs(found[: voxels.sizes["voxel"], voxels.sizes["voxel"] :]).max())


@pytest.mark.parametrize("lazily", [False, True])
@pytest.mark.parametrize("how", ["drop", "interpolate"])
def test_a_plane_is_registered_censored_and_freed_of_its_motion(stack, how, lazily):
    plane = stack[:, 0].chunk(time=16) if lazily else stack[:, 0]
    motion, registered = estimate_motion(plane), register(plane)
    whole = censor(registered, registered.suspect, how=how)
    clean = regress_out(whole, motion[["translation", "rotation"]])
    left = N_TIMES - int(registered.suspect.sum())
    assert bool(registered.suspect[JUMPS[0]])
    assert registered.suspect.sum() <= 2
    assert clean.sizes["time"] == (left if how == "drop" else N_TIMES)
    assert leftover(clean, motion) < 1e-4
    assert leftover(whole, motion) > 0.1


@pytest.mark.parametrize("lazily", [False, True])
@pytest.mark.parametrize("how", ["drop", "interpolate"])
def test_a_frame_that_is_suspect_in_any_plane_is_censored_whole(stack, how, lazily):
    given = stack.chunk(time=16) if lazily else stack
    motion, registered = estimate_motion(given, per="plane"), register(given, per="plane")
    suspect = registered.suspect
    assert suspect.dims == ("time", "z")
    whole = censor(registered, suspect, how=how)
    np.testing.assert_array_equal(whole, censor(registered, suspect.any("z"), how=how))
    np.testing.assert_array_equal(whole, censor(registered, suspect.transpose("z", ...), how=how))
    if how == "drop":
        assert not whole.suspect.any()
        assert not np.isin(stack.time[list(JUMPS)], whole.time).any()
    else:
        np.testing.assert_array_equal(whole.censored, suspect.any("z"))
    clean = regress_out(whole, motion[["translation", "rotation"]])
    assert leftover(clean, motion) < 1e-4
    assert leftover(whole, motion) > 0.1
