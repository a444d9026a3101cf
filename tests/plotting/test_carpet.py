"""Every voxel over time, with motion and DVARS above."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import xarray as xr

import partita
from partita.plotting import plot_carpet


@pytest.fixture
def recording():
    """Return a recording (time, y, x) of which the left half rises and the right half falls."""
    rng = np.random.default_rng(0)
    course = np.sin(np.arange(50) / 3)
    values = 10 + 0.1 * rng.standard_normal((50, 6, 8))
    values[:, :, :4] += course[:, None, None]
    values[:, :, 4:] -= course[:, None, None]
    return xr.DataArray(
        values,
        dims=("time", "y", "x"),
        coords={
            "time": ("time", 0.5 * np.arange(50), {"units": "s"}),
            "y": ("y", np.arange(6.0), {"units": "mm"}),
            "x": ("x", np.arange(8.0), {"units": "mm"}),
        },
    )


@pytest.fixture
def halves(recording):
    """Return which half a voxel lies in, the right one first."""
    return xr.where(recording.x < 4, 2, 1)


def carpet(figure):
    """Return the axes with the voxels, and what is drawn there."""
    ax = figure.axes[-1]
    return ax, ax.images[0].get_array()


def test_voxels_are_standardised_and_sorted_by_region(recording, halves):
    ax, values = carpet(plot_carpet(recording, labels=halves, names={1: "right", 2: "left"}))
    assert values.shape == (48, 50)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["right", "left"]
    np.testing.assert_allclose(values.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(values.std(axis=1), 1)
    course = np.sin(np.arange(50) / 3)
    follows = [np.corrcoef(row, course)[0, 1] for row in values]
    assert max(follows[:24]) < -0.9
    assert min(follows[24:]) > 0.9
    assert ax.images[0].get_clim() == (-2.0, 2.0)
    assert len(ax.patches) == 2


def test_regions_may_be_words_and_leave_voxels_out(recording):
    words = xr.where(recording.x < 2, "white", xr.where(recording.x < 5, "grey", ""))
    ax, values = carpet(plot_carpet(recording, labels=words))
    assert [text.get_text() for text in ax.get_yticklabels()] == ["grey", "white"]
    assert values.shape[0] == 6 * 5
    missing = words.astype(object).where(recording.x < 2, None)
    assert carpet(plot_carpet(recording, labels=missing))[1].shape[0] == 12
    numbers = xr.where(recording.x < 2, 1.0, np.nan)
    assert carpet(plot_carpet(recording, labels=numbers))[1].shape[0] == 12


def test_voxels_outside_are_left_out(recording, halves):
    hollow = recording.where(recording.y > 1)
    assert carpet(plot_carpet(hollow))[1].shape[0] == 32
    mask = recording.x > 5
    assert carpet(plot_carpet(hollow, mask=mask, labels=halves))[1].shape[0] == 8


def test_a_jump_of_the_whole_brain_is_the_highest_of_dvars(recording):
    recording[30:] += 20
    ax = plot_carpet(recording).axes[0]
    drawn = ax.lines[0].get_ydata()
    assert ax.get_ylabel() == "DVARS [sd]"
    assert np.nanargmax(drawn) == 30
    assert np.isnan(drawn[0])


def test_motion_stands_above_with_its_suspect_frames():
    truth = partita.datasets.simulate_fusi(
        n_times=30, shape=(1, 40, 40), motion=0.03, random_state=0
    )
    motion = partita.preprocess.estimate_motion(truth.recording)
    motion["suspect"][:] = False
    motion["suspect"][[4, 9]] = True
    figure = plot_carpet(truth.recording, motion=motion, title="fUSI")
    first = figure.axes[0]
    assert first.get_ylabel() == "Displacement [mm]"
    assert first.get_title(loc="left") == "fUSI"
    np.testing.assert_allclose(first.lines[0].get_ydata(), motion.framewise_displacement)
    times = truth.recording.time.values[[4, 9]]
    np.testing.assert_allclose([line.get_xdata()[0] for line in first.lines[1:]], times)
    course = motion.similarity.rename("likeness")
    assert plot_carpet(truth.recording, motion=course).axes[0].get_ylabel()


def test_a_stretch_of_time_and_events_are_drawn(recording):
    events = {"onset": [5.0], "duration": [2.0], "trial_type": ["house"]}
    motion = recording.mean(["y", "x"]).rename("mean")
    figure = plot_carpet(recording, times=(4.0, 10.0), events=events, motion=motion)
    ax, values = carpet(figure)
    assert values.shape == (48, 13)
    assert ax.get_xlim() == (3.75, 10.25)
    assert len(figure.axes[0].lines[0].get_ydata()) == 13
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["house"]


def test_a_lazy_recording_is_thinned_and_looks_like_the_eager():
    rng = np.random.default_rng(0)
    large = xr.DataArray(rng.random((30, 50, 60)), dims=("time", "y", "x"))
    small = xr.where(large.x == 3, 1, 2)
    lazy = large.chunk(time=10, y=25)
    figures = [plot_carpet(array, labels=small) for array in (large, lazy)]
    eager, streamed = (carpet(figure)[1] for figure in figures)
    np.testing.assert_allclose(eager, streamed)
    assert eager.shape == (600, 30)
    assert figures[0].axes[0].get_title(loc="left") == "600 of 3000 voxels"


def test_many_frames_are_averaged_in_twos_and_threes():
    rng = np.random.default_rng(0)
    long = xr.DataArray(rng.random((5001, 2)), dims=("time", "voxel"))
    ax, values = carpet(plot_carpet(long))
    assert values.shape == (2, 1667)
    assert ax.get_xlim() == (-0.5, 5000.5)


def test_uneven_and_falling_times_and_dates_are_drawn(recording):
    for times in (
        np.cumsum(np.arange(50.0)),
        np.r_[np.arange(25.0), np.arange(25.0)],
        np.datetime64("2020-01-01") + np.arange(50).astype("timedelta64[s]"),
        np.arange(50).astype("timedelta64[s]"),
    ):
        figure = plot_carpet(recording.assign_coords(time=times), theme="dark")
        figure.canvas.draw()
        assert figure.axes[-1].images or figure.axes[-1].collections


def test_constant_voxels_are_grey(recording):
    recording[:, 0, 0] = 7
    assert not carpet(plot_carpet(recording))[1][0].any()


def test_names_of_many_regions_do_not_overlap(recording):
    labels = (recording[0] * 0).copy(data=1 + np.arange(48).reshape(6, 8)).astype(int)
    ax, _ = carpet(plot_carpet(recording, labels=labels))
    ax.figure.canvas.draw()
    found = [text.get_window_extent() for text in ax.get_yticklabels()]
    assert len(found) > 5
    assert not any(one.overlaps(other) for one, other in pairwise(found))


def test_what_does_not_fit_is_refused(recording, halves):
    with pytest.raises(ValueError, match="The label image lies on another grid"):
        plot_carpet(recording, labels=halves.assign_coords(x=halves.x + 100))
    with pytest.raises(ValueError, match=r"The label image has the dimensions \('z', 'x'\)"):
        plot_carpet(recording, labels=halves.expand_dims("z"))
    with pytest.raises(TypeError, match="plot_carpet needs labels of whole numbers"):
        plot_carpet(recording, labels=halves / 2)
    with pytest.raises(TypeError, match=r"plot_carpet needs labels .* list"):
        plot_carpet(recording, labels=[1, 2])
    with pytest.raises(ValueError, match="The label image is empty"):
        plot_carpet(recording, labels=halves * 0)
    with pytest.raises(ValueError, match="no voxel to draw"):
        plot_carpet(recording, labels=halves.where(recording.x > 5), mask=recording.x < 2)
    with pytest.raises(ValueError, match=r"The motion has other samples .*: 49 and 50"):
        plot_carpet(recording, motion=recording[1:, 0, 0])
    with pytest.raises(ValueError, match="one course of motion"):
        plot_carpet(recording, motion=recording[:, 0])
    with pytest.raises(ValueError, match="this Dataset has what"):
        plot_carpet(recording, motion=xr.Dataset({"what": recording}))
    with pytest.raises(ValueError, match="No sample lies between 90 and 95"):
        plot_carpet(recording, times=(90, 95))
    with pytest.raises(TypeError, match="labelled recording"):
        plot_carpet(recording.values)


@pytest.mark.parametrize("vmax", [0, -1.0, np.inf, np.nan, "2"])
def test_limits_that_are_none_are_refused(recording, vmax):
    with pytest.raises(ValueError, match="vmax must be a finite number of sd above 0"):
        plot_carpet(recording, vmax=vmax)
