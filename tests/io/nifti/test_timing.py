"""When volumes were acquired, by the header and by the sidecar."""

from __future__ import annotations

import numpy as np
import pytest

import partita


@pytest.mark.parametrize(
    ("tr", "unit", "seconds"), [(1.35, "sec", 1.35), (1350, "msec", 1.35), (250, "usec", 0.00025)]
)
def test_time_is_in_seconds_as_the_shortest_decimal(
    tmp_path, tr, unit, seconds, image_of, frames, saved
):
    path = saved(image_of(frames(4, 3, 2, 5), tr=tr, units=("mm", unit)), tmp_path / "a.nii")
    time = partita.load(path).time
    np.testing.assert_array_equal(time, seconds * np.arange(5))
    assert time.attrs["units"] == "s"


def test_the_header_s_offset_is_the_first_time(tmp_path, image_of, frames, saved):
    image = image_of(frames(4, 3, 2, 3), tr=0.5)
    image.header["toffset"] = 1.1
    time = partita.load(saved(image, tmp_path / "a.nii")).time
    np.testing.assert_array_equal(time, 1.1 + 0.5 * np.arange(3))


def test_a_sidecar_says_the_times(tmp_path, image_of, frames, saved):
    fields = {"RepetitionTime": 0.4, "DelayAfterTrigger": 2.5}
    image = image_of(frames(4, 3, 2, 3), tr=0.4)
    time = partita.load(saved(image, tmp_path / "a.nii.gz", fields)).time
    np.testing.assert_array_equal(time, 2.5 + 0.4 * np.arange(3))


def test_irregular_volume_timing_is_kept_exactly(tmp_path, image_of, frames, saved):
    starts = [10.608, 10.90812, 11.3, 11.3, 9.0]  # falling times too: concatenated runs
    fields = {"VolumeTiming": starts, "FrameAcquisitionDuration": 0.3, "DelayAfterTrigger": 4}
    path = saved(image_of(frames(4, 3, 2, 5), tr=0.0), tmp_path / "a.nii", fields)
    recording = partita.load(path)
    np.testing.assert_array_equal(recording.time, starts)
    assert recording.attrs["frame_acquisition_duration"] == 0.3
    assert "volume_timing" not in recording.attrs


def test_a_sidecar_overrules_the_header_and_says_so(tmp_path, image_of, frames, saved):
    path = saved(image_of(frames(4, 3, 2, 3), tr=2000.0), tmp_path / "a.nii", {"RepetitionTime": 2})
    with pytest.warns(UserWarning, match=r"sidecar is 2 s, and the header says 2000 s"):
        recording = partita.load(path)
    np.testing.assert_array_equal(recording.time, [0, 2, 4])


def test_without_a_repetition_time_volumes_are_numbered(plain_file, spoilt):
    with pytest.warns(UserWarning, match=r"odd.nii: there is no repetition time.*numbered from 0"):
        recording = partita.load(spoilt(plain_file, pixdim={4: 0}))
    np.testing.assert_array_equal(recording.time, np.arange(5))
    assert recording.time.attrs["units"] == "1"


def test_an_axis_that_is_no_time_is_numbered(plain_file, spoilt):
    with pytest.warns(UserWarning, match=r"fourth axis is in hz, which is no time"):
        recording = partita.load(spoilt(plain_file, xyzt_units=2 + 32))
    assert recording.time.attrs["units"] == "1"


@pytest.mark.parametrize("code", [0, 7 + 56])
def test_unknown_units_count_as_millimetres_and_seconds(plain_file, code, spoilt):
    with (
        pytest.warns(UserWarning, match=r"unit of space; its numbers are taken as mm"),
        pytest.warns(UserWarning, match=r"unit of time; 0\.3 is taken as seconds"),
    ):
        recording = partita.load(spoilt(plain_file, xyzt_units=code))
    np.testing.assert_array_equal(recording.time, 0.3 * np.arange(5))
    np.testing.assert_array_equal(recording.y, 0.05 * np.arange(3))


def test_negative_sizes_and_times_count_by_magnitude(plain_file, spoilt):
    spoilt(plain_file, pixdim={1: -0.1, 4: -0.3}, sform_code=0, qform_code=1)
    with (
        pytest.warns(UserWarning, match=r"voxel sizes in the header are negative"),
        pytest.warns(UserWarning, match=r"repetition time is negative"),
    ):
        recording = partita.load(plain_file)
    np.testing.assert_array_equal(recording.x, 0.1 * np.arange(4))
    np.testing.assert_array_equal(recording.time, 0.3 * np.arange(5))
