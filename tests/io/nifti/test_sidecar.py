"""Sidecars become attributes; those that cannot be right are refused."""

from __future__ import annotations

import json

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
    assert attrs.pop("history") == f"load({path.name!r})"
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


def in_tree(root, image_of, frames, saved, **sidecars):
    """Save an image in a tree of BIDS, and sidecars by their names in it."""
    path = root / "sub-01" / "ses-1" / "func" / "sub-01_ses-1_task-rest_bold.nii.gz"
    path.parent.mkdir(parents=True)
    image = image_of(frames(4, 3, 2, 5), tr=0, units=("mm", "unknown"))
    for name, fields in sidecars.items():
        place = root / name.replace("__", "/").replace("_E_", "-")
        place.with_name(place.name + ".json").write_text(json.dumps(fields), encoding="utf-8")
    return saved(image, path)


def test_fields_are_inherited_from_up_the_tree_and_the_nearer_is_believed(
    tmp_path, image_of, frames, saved
):
    path = in_tree(
        tmp_path, image_of, frames, saved,
        task_E_rest_bold={"RepetitionTime": 2.5, "TaskName": "rest", "Partita": 3},
        task_E_other_bold={"TaskName": "other"},
        task_E_rest_events={"TaskName": "events"},
        **{"sub-01__sub-01_bold": {"Manufacturer": "one"}},
        **{"sub-01__ses-1__ses-1_task-rest_bold": {"Manufacturer": "two"}},
    )  # fmt: skip
    recording = partita.load(path)
    np.testing.assert_allclose(recording.time, 2.5 * np.arange(5))
    assert recording.attrs["task_name"] == "rest"
    assert recording.attrs["manufacturer"] == "two"


def test_sidecars_that_contradict_each_other_in_time_are_told(tmp_path, image_of, frames, saved):
    path = in_tree(
        tmp_path, image_of, frames, saved,
        bold={"RepetitionTime": 2.5},
        **{"sub-01__sub-01_task-rest_bold": {"RepetitionTime": 2}},
    )  # fmt: skip
    with pytest.warns(UserWarning, match=r"RepetitionTime is 2\.5 in .*bold\.json and 2 in .*near"):
        recording = partita.load(path)
    np.testing.assert_allclose(recording.time, 2 * np.arange(5))


def test_a_nearer_interval_stands_for_farther_times(tmp_path, image_of, frames, saved):
    far, near = {"VolumeTiming": [0, 1, 3, 4, 5]}, {"RepetitionTime": 2.5}
    path = in_tree(
        tmp_path / "a", image_of, frames, saved,
        bold=far, **{"sub-01__sub-01_bold": near},
    )  # fmt: skip
    np.testing.assert_allclose(partita.load(path).time, 2.5 * np.arange(5))


def test_what_is_wrong_up_the_tree_is_named_by_its_file(tmp_path, image_of, frames, saved):
    path = in_tree(tmp_path, image_of, frames, saved, bold={"RepetitionTime": "2"})
    with pytest.raises(ValueError, match=rf"RepetitionTime in {tmp_path}/bold\.json is not a num"):
        partita.load(path)


def test_names_that_are_not_of_bids_inherit_nothing(tmp_path, image_of, frames, saved):
    (tmp_path / "bold.json").write_text('{"TaskName": "other"}')
    image = image_of(frames(4, 3, 2, 5))
    recording = partita.load(saved(image, tmp_path / "my_bold.nii"))
    assert "task_name" not in recording.attrs


def test_a_rate_goes_before_what_header_and_sidecar_say(tmp_path, image_of, frames, saved):
    image = image_of(frames(4, 3, 2, 5))
    path = saved(image, tmp_path / "a.nii", {"RepetitionTime": 3})
    recording = partita.load(path, frame_rate=2)
    np.testing.assert_allclose(recording.time, [0, 0.5, 1, 1.5, 2])
    assert "repetition_time" not in recording.attrs
    partita.save(recording, tmp_path / "b.nii.gz")
    np.testing.assert_allclose(partita.load(tmp_path / "b.nii.gz", frame_rate=4).time[1], 0.25)
    np.testing.assert_allclose(partita.load(image, frame_rate=4).time[1], 0.25)
    with pytest.raises(ValueError, match="no fourth axis"):
        partita.load(saved(image_of(frames(4, 3, 2)), tmp_path / "c.nii"), frame_rate=2)
