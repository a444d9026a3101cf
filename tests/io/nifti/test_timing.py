"""When volumes were acquired, by the header and by the sidecar."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest
import xarray as xr

import partita


@pytest.mark.parametrize(
    ("tr", "unit", "seconds"), [(1.35, "sec", 1.35), (1350, "msec", 1.35), (250000, "usec", 0.25)]
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


# Units of time where other formats are read through nibabel, and steps that cannot be


@pytest.mark.parametrize("kind", ["mgh", "afni ms", "afni s", "minc"])
def test_steps_of_other_formats_are_in_seconds_whatever_they_write(tmp_path, kind):
    values = np.zeros((2, 3, 4, 5), np.float32)
    if kind == "mgh":
        image = nib.MGHImage(values, np.eye(4))
        image.header.set_zooms((1, 1, 1, 2500.0))
    else:
        image = OtherImage(values, kind)
    np.testing.assert_allclose(partita.load(image).time, 2.5 * np.arange(5))


class MincHeader:
    """Gives its steps in seconds, as nibabel's does."""

    def get_zooms(self):
        return 1.0, 1.0, 1.0, 2.5


class AFNIHeader:
    """Gives its steps in the unit of a code, as nibabel's does."""

    def __init__(self, unit):
        self.info = {"TAXIS_NUMS": [5, 0, 77001 if unit == "ms" else 77002]}

    def get_zooms(self):
        return 1.0, 1.0, 1.0, 2500.0 if self.info["TAXIS_NUMS"][2] == 77001 else 2.5


class OtherImage:
    """An image in memory of a format that nibabel only reads."""

    def __init__(self, values, kind):
        self.dataobj, self.affine, self.shape = values, np.eye(4), values.shape
        self.header = MincHeader() if kind == "minc" else AFNIHeader(kind.split()[1])

    def get_filename(self):
        return None


def test_a_format_that_says_no_unit_of_time_is_doubted():
    image = nib.AnalyzeImage(np.zeros((2, 3, 4, 5), np.float32), np.eye(4))
    image.header.set_zooms((1, 1, 1, 2.0))
    with pytest.warns(UserWarning, match="does not say the unit of time; 2 is taken as seconds"):
        partita.load(image)


@pytest.mark.parametrize(
    ("unit", "step", "words"),
    [("sec", 2000.0, "2000 s apart.*milliseconds"), ("msec", 2.0, "0.002 s apart.*seconds")],
)
@pytest.mark.parametrize("sidecar", [False, True])
def test_a_step_that_cannot_be_is_doubted(tmp_path, unit, step, words, sidecar):
    image = nib.Nifti1Image(np.zeros((2, 3, 4, 5), np.float32), np.eye(4))
    image.header.set_xyzt_units("mm", unit)
    image.header["pixdim"][4] = step
    path = tmp_path / "a.nii"
    nib.save(image, path)
    if sidecar:
        seconds = step if unit == "sec" else step / 1000
        path.with_suffix(".json").write_text(
            json.dumps({"RepetitionTime": seconds}), encoding="utf-8"
        )
    for source in (path, nib.load(path)):
        with pytest.warns(UserWarning, match=words):
            partita.load(source)


@pytest.mark.parametrize("step", [0.002, 500.0])
def test_what_partita_saved_is_not_doubted(tmp_path, step):
    recording = xr.DataArray(
        np.zeros((5, 1, 3, 2), np.float32),
        dims=("time", "z", "y", "x"),
        coords={"time": ("time", step * np.arange(5), {"units": "s"})},
    )
    path = tmp_path / "a.nii"
    partita.save(recording, path)
    np.testing.assert_allclose(partita.load(path).time, step * np.arange(5))


@pytest.mark.parametrize("timing", [[3.2], [1.0, 2.0, 3.0]])
def test_the_volume_timing_of_a_single_volume_is_kept(tmp_path, timing):
    image = nib.Nifti1Image(np.zeros((2, 3, 4), np.float32), np.eye(4))
    image.header.set_xyzt_units("mm", "sec")
    path = tmp_path / "a.nii"
    nib.save(image, path)
    path.with_suffix(".json").write_text(json.dumps({"VolumeTiming": timing}), encoding="utf-8")
    volume = partita.load(path, chunks=None)
    if len(timing) == 1:
        assert float(volume.time) == 3.2
        assert volume.time.attrs["units"] == "s"
    else:
        np.testing.assert_array_equal(volume.attrs["volume_timing"], timing)
    again = partita.save(volume, tmp_path / "b.nii")[0]
    assert partita.load(again, chunks=None).identical(volume)
