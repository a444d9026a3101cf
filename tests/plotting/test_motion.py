"""Motion drawn: every panel in its units, suspects where they are."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from partita.plotting import plot_motion
from partita.preprocess import estimate_motion


def motion(*, turning: bool = True, axes: str = "yx") -> xr.Dataset:
    rng = np.random.default_rng(0)
    n, angles = 20, ["z"] if len(axes) == 2 else list(axes)
    suspect = np.zeros(n, dtype=bool)
    suspect[[4, 5, 11]] = True
    return xr.Dataset(
        {
            "translation": (("time", "axis"), rng.standard_normal((n, len(axes))), {"units": "mm"}),
            "rotation": (
                ("time", "rotation_axis"),
                turning * np.deg2rad(rng.uniform(1, 2, (n, len(angles)))),
                {"units": "rad"},
            ),
            "framewise_displacement": ("time", rng.random(n), {"units": "mm"}),
            "similarity": ("time", rng.random(n)),
            "suspect": ("time", suspect),
        },
        coords={
            "time": ("time", 0.5 * np.arange(n), {"units": "s", "long_name": "Time"}),
            "axis": list(axes),
            "rotation_axis": angles,
        },
    )


def test_panels_share_time_and_name_their_units():
    figure = plot_motion(motion())
    labels = [ax.get_ylabel() for ax in figure.axes]
    assert labels == [
        "Translation [mm]",
        "Rotation [°]",
        "Displacement\nbetween frames [mm]",
        "Similarity",
    ]
    assert figure.axes[-1].get_xlabel() == "Time [s]"
    assert {ax.get_xlim() for ax in figure.axes} == {(0.0, 9.5)}


def test_rotation_is_in_degrees_and_left_out_where_there_is_none():
    turning = plot_motion(motion()).axes[1].get_lines()[0].get_ydata()
    assert 1 <= turning.min() < turning.max() <= 2
    assert len(plot_motion(motion(turning=False)).axes) == 3


def test_suspect_frames_are_marked_in_every_panel_and_counted():
    figure = plot_motion(motion(), title="Mouse 3")
    assert figure.axes[0].get_title(loc="left") == "Mouse 3: 3 of 20 frames suspect"
    for ax in figure.axes:
        marks = [line for line in ax.get_lines() if line.get_marker() == "v"]
        np.testing.assert_array_equal(marks[0].get_xdata(), [2.0, 2.5, 5.5])
    unmarked = motion()
    unmarked["suspect"][:] = False
    lines = plot_motion(unmarked).axes[0].get_lines()
    assert len(lines) == 2


def test_three_axes_and_three_angles_are_named():
    figure = plot_motion(motion(axes="zyx"), theme="dark")
    for ax in figure.axes[:2]:
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["z", "y", "x"]


@pytest.mark.parametrize(
    ("shape", "options", "panels", "lines"),
    [
        ((24, 28), {}, 4, "yx"),
        ((24, 28), {"transform": "translation"}, 3, "yx"),
        ((24, 28), {"transform": "piecewise", "patch_size": 16}, 3, "yx"),
        ((6, 16, 18), {}, 4, "zyx"),
        ((6, 16, 18), {"transform": "translation"}, 3, "zyx"),
        ((6, 16, 18), {"per": "plane"}, 4, "yx"),
    ],
)
def test_motion_that_was_estimated_is_drawn(moving_blobs, shape, options, panels, lines):
    rng = np.random.default_rng(0)
    shift = rng.uniform(-1, 1, (12, len(shape)))
    angles = np.deg2rad(rng.uniform(-1, 1, (12, 1 if len(shape) == 2 else 3)))
    frames = moving_blobs(shape, shift, angles, noise=1.0)
    found = estimate_motion(xr.DataArray(frames, dims=("time", *"zyx"[-len(shape) :])), **options)
    if "per" in options:
        found = found.isel(z=2)
    figure = plot_motion(found)
    assert len(figure.axes) == panels
    first = figure.axes[0]
    assert [text.get_text() for text in first.get_legend().get_texts()] == list(lines)
    for line, axis in zip(first.get_lines(), lines, strict=False):
        np.testing.assert_array_equal(line.get_ydata(), found["translation"].sel(axis=axis))


def test_what_is_no_motion_is_refused():
    with pytest.raises(TypeError, match=r"needs the Dataset that preprocess\.estimate_motion"):
        plot_motion(motion()["translation"])
    with pytest.raises(ValueError, match="lacks similarity, suspect"):
        plot_motion(motion().drop_vars(["similarity", "suspect"]))
    for dim in ("time", "axis", "rotation_axis"):
        with pytest.raises(ValueError, match=rf"lacks the dimension '{dim}'.*isel\({dim}=\[0\]\)"):
            plot_motion(motion().isel({dim: 0}))
    planes = xr.concat([motion(), motion()], "z")
    with pytest.raises(ValueError, match=r"has 2 along 'z'. Choose one: motion.isel\(z=0\)"):
        plot_motion(planes.transpose("time", ...))


def test_samples_may_have_another_name():
    renamed = motion().rename(time="frame").transpose("axis", "rotation_axis", "frame")
    figure = plot_motion(renamed, sample_dim="frame", times=(2.0, 8.0))
    usual = plot_motion(motion(), times=(2.0, 8.0))
    for ours, theirs in zip(figure.axes, usual.axes, strict=True):
        for line, expected in zip(ours.lines, theirs.lines, strict=True):
            np.testing.assert_array_equal(line.get_xydata(), expected.get_xydata())
    with pytest.raises(ValueError, match="lacks the dimension 'time'"):
        plot_motion(renamed)
