"""Sidecars become attributes; those that cannot be right are refused."""

from __future__ import annotations

import numpy as np
import pytest

import partita


def test_fields_become_attributes_in_snake_case(tmp_path, image_of, frames, saved):
    fields = {
        "TaskName": "rest",
        "MRAcquisitionType": "2D",
        "SliceTiming": [0, 0.1],
        "Filtered": True,
        "Probe": {"Elements": 128},
        "CogAtlasID": None,
        "ScaleFactor": 3,
        "Units": "V^2",
    }
    path = saved(image_of(frames(4, 3, 2, 5)), tmp_path / "sub-01_task-rest_pwd.nii", fields)
    recording = partita.load(path)
    assert recording.name == "pwd"
    attrs = dict(recording.attrs)
    np.testing.assert_array_equal(attrs.pop("slice_timing"), [0, 0.1])
    assert attrs == {
        "long_name": "Power Doppler",
        "task_name": "rest",
        "mr_acquisition_type": "2D",
        "filtered": 1,
        "probe": '{"Elements": 128}',
        "sidecar_scale_factor": 3,
        "units": "V^2",
    }


@pytest.mark.parametrize(
    ("sidecar", "words"),
    [
        ("{'TaskName': 1}", r"a\.json is not JSON.*move it away"),
        ("[1, 2]", r"a\.json holds a JSON list"),
        ({"VolumeTiming": [0, 1]}, r"VolumeTiming in .*a\.json has 2 entries.*has 50 volumes"),
        ({"VolumeTiming": "0, 1"}, r"VolumeTiming in .*a\.json is not a list of numbers"),
        ({"VolumeTiming": [0, None] * 25}, r"VolumeTiming in .*a\.json is not a list of numbers"),
        ({"RepetitionTime": "2"}, r"RepetitionTime in .*a\.json is not a number: '2'"),
        ({"RepetitionTime": -2}, r"RepetitionTime in .*a\.json must be above 0 and is -2"),
        ({"DelayAfterTrigger": True}, r"DelayAfterTrigger in .*a\.json is not a number"),
        (
            {"Partita": {"Coordinates": [1]}},
            r"'Partita' of the sidecar .*a\.json .*remove that field",
        ),
        ({"Partita": {"Coordinates": {"x": {}}}}, r"a\.json is not as Partita writes it"),
        ({"Partita": {"Dimensions": 4}}, r"a\.json is not as Partita writes it"),
    ],
)
def test_a_sidecar_that_cannot_be_right_is_refused(tmp_path, sidecar, words, nifti):
    path = nifti(tmp_path / "a.nii", sidecar=sidecar)
    with pytest.raises(ValueError, match=words):
        partita.load(path)


def test_a_sidecar_in_another_encoding_is_refused(tmp_path, nifti):
    path = nifti(tmp_path / "a.nii")
    (tmp_path / "a.json").write_bytes('{"Manufacturer": "Müller"}'.encode("latin-1"))
    with pytest.raises(ValueError, match=r"a\.json is not JSON"):
        partita.load(path)
