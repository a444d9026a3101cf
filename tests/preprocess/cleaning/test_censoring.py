"""Censoring: what is kept stays as it was, what is suspect leaves no trace."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.interpolate
import xarray as xr

from partita.preprocess import censor

BAD = np.zeros(120, bool)
BAD[[0, 1, 10, 40, 41, 42, 119]] = True


@pytest.fixture
def recording(labelled):
    return labelled()


@pytest.fixture
def frames(recording):
    return xr.DataArray(BAD, dims="time", coords={"time": recording["time"]})


@pytest.mark.parametrize("chunks", [None, {"time": 7, "y": 2}])
def test_dropping_leaves_the_others_with_all_their_labels(recording, frames, chunks):
    given = recording if chunks is None else recording.chunk(chunks)
    left = censor(given, frames)
    expected = recording.isel(time=~BAD)
    xr.testing.assert_identical(left.compute().drop_attrs(), expected.drop_attrs())
    assert left.attrs["history"].endswith("censor(n_frames=7, how='drop')")
    assert (left.chunks is None) == (chunks is None)


def test_integers_stay_integers_when_frames_are_dropped(labelled, frames):
    assert censor(labelled(dtype="int16"), frames).dtype == "int16"


@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
def test_kept_frames_stay_and_suspect_ones_follow_scipy(recording, frames, interpolation):
    left = censor(recording, frames, how="interpolate", interpolation=interpolation)
    np.testing.assert_allclose(left[~BAD], recording[~BAD], atol=1e-10)
    times, inner = recording["time"].values, slice(2, 119)
    flat = recording.values[~BAD].reshape(113, -1)
    if interpolation == "linear":
        expected = np.array([np.interp(times, times[~BAD], course) for course in flat.T]).T
    else:
        expected = scipy.interpolate.CubicSpline(times[~BAD], flat)(times)
    np.testing.assert_allclose(left.values.reshape(120, -1)[inner], expected[inner], atol=1e-9)
    np.testing.assert_allclose(left[:2], recording[[2, 2]], atol=1e-12)
    np.testing.assert_allclose(left[-1], recording[-2], atol=1e-12)
    np.testing.assert_array_equal(left["censored"], BAD)


@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
@pytest.mark.parametrize("chunks", [None, {"time": 20}])
def test_what_suspect_frames_hold_does_not_matter(recording, frames, interpolation, chunks):
    spoilt = recording.copy()
    spoilt[BAD] = np.nan
    given = spoilt if chunks is None else spoilt.chunk(chunks)
    np.testing.assert_allclose(
        censor(given, frames, how="interpolate", interpolation=interpolation),
        censor(recording, frames, how="interpolate", interpolation=interpolation),
        atol=1e-9,
    )


def test_interpolation_goes_by_the_times_not_by_the_count(recording, frames):
    times = np.cumsum(np.random.default_rng(0).uniform(0.5, 3, 120))
    ramp = (recording * 0).assign_coords(time=times) + xr.DataArray(
        times, dims="time", coords={"time": times}
    )
    left = censor(ramp, frames.drop_vars("time"), how="interpolate")
    np.testing.assert_allclose(left[2:119], ramp[2:119], atol=1e-10)


def test_frames_are_matched_by_label(recording, frames):
    part = recording[20:60]
    expected = part.isel(time=~BAD[20:60])
    np.testing.assert_array_equal(censor(part, frames), expected)
    np.testing.assert_array_equal(censor(part, frames[::-1]), expected)


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (lambda f: f.astype(float), TypeError, "boolean DataArray over time"),
        (lambda f: f.values, TypeError, "given: ndarray of bool"),
        (
            lambda f: f.expand_dims("plane"),
            ValueError,
            r"given: \('plane', 'time'\). Reduce them: frames.any\('plane'\)",
        ),
        (lambda f: f[0], ValueError, r"needs frames over 'time'; given: \(\). Compare"),
        (lambda f: f[:50], ValueError, "The series of frames to censor lies on another grid"),
        (lambda f: f[:50].drop_vars("time"), ValueError, "has 50 samples along 'time'"),
        (
            lambda f: f | True,
            ValueError,
            "would leave 0 of 120 frames, and dropping",
        ),
    ],
)
def test_frames_that_do_not_fit_are_refused(recording, frames, change, kind, message):
    with pytest.raises(kind, match=message):
        censor(recording, change(frames))


def test_frames_marked_in_any_plane_are_censored_whole(recording, frames):
    planes = xr.concat([frames, frames & False], "z").transpose("time", "z")
    xr.testing.assert_identical(censor(recording, planes), censor(recording, frames))


def test_too_few_frames_for_interpolation_are_refused(recording, frames):
    few = frames.copy(data=np.arange(120) > 1)
    assert censor(recording, few, how="interpolate").sizes["time"] == 120
    with pytest.raises(ValueError, match="would leave 2 of 120 frames, and cubic interpolation"):
        censor(recording, few, how="interpolate", interpolation="cubic")
    one = frames.copy(data=np.arange(120) > 0)
    with pytest.raises(ValueError, match="would leave 1 of 120 frames, and linear interpolation"):
        censor(recording, one, how="interpolate")


def test_unknown_ways_are_refused(recording, frames):
    with pytest.raises(ValueError, match="how must be 'drop' or 'interpolate', and was 'zero'"):
        censor(recording, frames, how="zero")
    with pytest.raises(
        ValueError, match="interpolation must be 'cubic' or 'linear', and was 'nearest'"
    ):
        censor(recording, frames, interpolation="nearest")


@pytest.mark.parametrize("chunks", [None, {"time": 20}])
def test_frames_that_were_interpolated_before_stay_marked(recording, chunks):
    given = recording if chunks is None else recording.chunk(chunks)
    first, second = (xr.DataArray(np.isin(np.arange(120), at), dims="time") for at in ([3], [7, 8]))
    twice = censor(censor(given, first, how="interpolate"), second, how="interpolate")
    assert np.flatnonzero(twice["censored"]).tolist() == [3, 7, 8]
    left = censor(censor(given, first, how="interpolate"), second)
    assert np.flatnonzero(left["censored"]).tolist() == [3]


@pytest.mark.parametrize("kept", [np.flatnonzero(~BAD), np.flatnonzero(~BAD).tolist(), ~BAD])
def test_a_sample_mask_of_nilearn_holds_the_good_frames(recording, frames, kept):
    left = censor(recording, sample_mask=kept)
    xr.testing.assert_identical(left, censor(recording, frames))


@pytest.mark.parametrize(
    ("kept", "kind", "message"),
    [
        (np.ones(119, bool), ValueError, "a sample_mask of 119 truth values for 120 frames"),
        ([0, 1, 120], ValueError, "keeps the frames 0 to 120, and the recording has 120"),
        ([-1, 4], ValueError, "keeps the frames -1 to 4"),
        ([0.5, 1.0], TypeError, "or True for each; given: float64"),
        ([[0, 1], [2, 3]], TypeError, "int64 with 2 dimensions. Of several runs, censor each"),
        ([], TypeError, "or True for each"),
    ],
)
def test_a_sample_mask_of_another_kind_or_recording_is_refused(recording, kept, kind, message):
    with pytest.raises(kind, match=message):
        censor(recording, sample_mask=kept)


def test_bad_frames_or_good_ones_are_given_not_both(recording, frames):
    with pytest.raises(ValueError, match=r"given: neither. Where nilearn answers None"):
        censor(recording, sample_mask=None)
    with pytest.raises(ValueError, match="given: both"):
        censor(recording, frames, sample_mask=[0, 1])
