"""NWB ophys series, laid out as the schema says, frames with their width first."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

import partita


def write(path, *series, plane=True):
    """Write series as ``(name, type, data, fill)``; `fill` adds to the group."""
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.7.0"
        file["processing/ophys/Fluorescence/traces"] = np.arange(40.0).reshape(20, 2)
        if plane:
            about = file.create_group("general/optophysiology/plane")
            about.attrs["neurodata_type"] = "ImagingPlane"
            about["imaging_rate"] = 15.0
            about["indicator"] = "GCaMP6f"
            about["location"] = "V1"
            about["grid_spacing"] = np.array([0.5, 0.8], np.float32)
            about["grid_spacing"].attrs["unit"] = "micrometers"
        for name, kind, data, fill in series:
            group = file.create_group(f"acquisition/{name}")
            group.attrs["neurodata_type"] = kind
            group["data"] = data
            if plane:
                group["imaging_plane"] = h5py.SoftLink("/general/optophysiology/plane")
            fill(group)
    return path


def rate(group):
    group["starting_time"] = 0.0
    group["starting_time"].attrs["rate"] = 20.0


def test_a_two_photon_series_comes_back_upright_with_its_times_and_pixels(tmp_path, frames):
    def fill(group):
        rate(group)
        group["data"].attrs["unit"] = "photons"

    turned = frames.transpose(0, 2, 1)  # (time, x, y)
    path = write(tmp_path / "a.nwb", ("movie", "TwoPhotonSeries", turned, fill))
    recording = partita.load(path, chunks=5)
    assert recording.dims == ("time", "y", "x")
    np.testing.assert_array_equal(recording, frames)
    np.testing.assert_allclose(recording.time, np.arange(12) / 20)
    np.testing.assert_allclose(recording.x, 0.0005 * np.arange(6), rtol=1e-6)
    np.testing.assert_allclose(recording.y, 0.0008 * np.arange(8), rtol=1e-6)
    about = {"units": "photons", "indicator": "GCaMP6f", "location": "V1"}
    assert recording.attrs == {**about, "history": "load('a.nwb')"}
    assert recording.name == "movie"
    assert recording.encoding["format"] == "NWB TwoPhotonSeries, /acquisition/movie"
    assert recording.dtype == np.uint16


def test_a_volume_has_its_depth_last_in_the_file(tmp_path):
    values = np.random.default_rng(0).normal(size=(6, 3, 4, 5)).astype(np.float32)  # t, z, y, x
    path = write(
        tmp_path / "a.nwb", ("movie", "TwoPhotonSeries", values.transpose(0, 3, 2, 1), rate)
    )
    np.testing.assert_array_equal(partita.load(path), values)


def test_timestamps_are_kept_as_they_are(tmp_path, frames):
    times = np.cumsum(np.random.default_rng(0).uniform(0.04, 0.06, 12)) + 100

    def fill(group):
        group["timestamps"] = times

    path = write(tmp_path / "a.nwb", ("movie", "OnePhotonSeries", frames, fill))
    np.testing.assert_array_equal(partita.load(path).time, times)
    np.testing.assert_allclose(partita.load(path, frame_rate=10).time, np.arange(12) / 10)


def test_a_starting_time_is_kept_and_a_missing_rate_is_the_planes(tmp_path, frames):
    def start(group):
        rate(group)
        group["starting_time"][...] = 2.5

    path = write(tmp_path / "a.nwb", ("movie", "TwoPhotonSeries", frames, start))
    np.testing.assert_allclose(partita.load(path).time, 2.5 + np.arange(12) / 20)
    path = write(tmp_path / "b.nwb", ("movie", "TwoPhotonSeries", frames, lambda group: None))
    np.testing.assert_allclose(partita.load(path).time, np.arange(12) / 15)


def test_conversion_and_offset_are_applied(tmp_path, frames):
    def fill(group):
        rate(group)
        group["data"].attrs.update(conversion=0.5, offset=3.0)

    path = write(tmp_path / "a.nwb", ("movie", "TwoPhotonSeries", frames, fill))
    recording = partita.load(path, dims=("time", "y", "x"))
    assert recording.dtype == np.float32
    np.testing.assert_array_equal(recording, 0.5 * frames + 3)


def test_without_grid_spacing_the_field_of_view_gives_the_pixels(tmp_path, frames):
    def fill(group):
        rate(group)
        group["field_of_view"] = [6e-4, 1.6e-3]  # metres, width and height

    turned = frames.transpose(0, 2, 1)
    path = write(tmp_path / "a.nwb", ("movie", "TwoPhotonSeries", turned, fill), plane=False)
    recording = partita.load(path)
    np.testing.assert_allclose(recording.x, 0.1 * np.arange(6))
    np.testing.assert_allclose(recording.y, 0.2 * np.arange(8))


def test_without_any_rate_the_frames_are_numbered(tmp_path, frames, load_numbered):
    path = write(
        tmp_path / "a.nwb", ("movie", "OnePhotonSeries", frames, lambda group: None), plane=False
    )
    assert load_numbered(path).time.attrs["units"] == "1"


def test_several_series_are_listed_and_chosen(tmp_path, frames, naming):
    path = write(
        tmp_path / "a.nwb",
        ("green", "TwoPhotonSeries", frames, rate),
        ("red", "TwoPhotonSeries", frames * 2, rate),
        ("eye", "ImageSeries", frames, rate),
    )
    with pytest.raises(ValueError, match=naming(path, "2 arrays: /acquisition/green.*red")):
        partita.load(path)
    for name in ("red", "/acquisition/red", "acquisition/red/data"):
        recording = partita.load(path, dataset=name)
        np.testing.assert_array_equal(recording, 2 * frames.transpose(0, 2, 1))


def test_another_array_is_loaded_by_its_path(tmp_path, frames):
    path = write(tmp_path / "a.nwb", ("green", "TwoPhotonSeries", frames, rate))
    traces = partita.load(path, dataset="processing/ophys/Fluorescence/traces", frame_rate=20)
    assert traces.dims == ("time", "neuron")
    assert traces.name == "traces"


def test_a_file_without_series_is_refused(tmp_path, naming):
    with pytest.raises(
        ValueError, match=naming(tmp_path, "no TwoPhotonSeries or OnePhotonSeries or ImageSeries")
    ):
        partita.load(write(tmp_path / "a.nwb"))


def test_times_of_other_frames_are_refused_but_for_a_given_rate(tmp_path, frames, naming):
    def fill(group):
        group["timestamps"] = np.arange(7.0)

    path = write(tmp_path / "a.nwb", ("movie", "TwoPhotonSeries", frames, fill))
    with pytest.raises(ValueError, match=naming(path, "12 frames and the times of 7.*frame_rate=")):
        partita.load(path)
    assert partita.load(path, frame_rate=5).sizes["time"] == 12


def test_frames_in_other_files_are_named(tmp_path, naming):
    def fill(group):
        group["external_file"] = [b"run1.tif", b"run2.tif"]

    path = write(
        tmp_path / "a.nwb", ("movie", "TwoPhotonSeries", np.zeros((0, 0, 0), np.uint8), fill)
    )
    with pytest.raises(OSError, match=naming(path, r"other files: \['run1.tif', 'run2.tif'\]")):
        partita.load(path)


# Times that cannot be, traces, images of other kinds, and links


@pytest.mark.parametrize("wrong", [0.0, np.nan, -3.0, np.inf])
def test_a_rate_that_cannot_be_gives_way_to_the_planes(tmp_path, frames, wrong):
    def fill(group):
        rate(group)
        group["starting_time"].attrs["rate"] = wrong

    recording = partita.load(write(tmp_path / "a.nwb", ("movie", "TwoPhotonSeries", frames, fill)))
    np.testing.assert_allclose(recording.time, np.arange(12) / 15)


@pytest.mark.parametrize("wrong", [0.0, np.nan])
def test_where_no_rate_can_be_the_frames_are_numbered(tmp_path, frames, load_numbered, wrong):
    def fill(group):
        rate(group)
        group["starting_time"].attrs["rate"] = wrong

    path = write(tmp_path / "a.nwb", ("movie", "TwoPhotonSeries", frames, fill), plane=False)
    np.testing.assert_array_equal(load_numbered(path).time, np.arange(12))


def test_timestamps_that_are_no_numbers_are_said_and_not_used(tmp_path, frames):
    def fill(group):
        group["timestamps"] = np.where(np.arange(12) == 3, np.nan, np.arange(12.0))

    path = write(tmp_path / "a.nwb", ("movie", "TwoPhotonSeries", frames, fill))
    with pytest.warns(UserWarning, match="1 of its 12 timestamps are no numbers"):
        recording = partita.load(path)
    np.testing.assert_allclose(recording.time, np.arange(12) / 15)


@pytest.mark.parametrize("name", ["traces", "acquisition/traces", "acquisition/traces/data"])
@pytest.mark.parametrize("how", ["timestamps", "rate"])
def test_traces_keep_their_times(tmp_path, frames, name, how):
    times = 3 + np.arange(20) / 7

    def fill(group):
        if how == "timestamps":
            group["timestamps"] = times
        else:
            group["starting_time"] = 3.0
            group["starting_time"].attrs["rate"] = 7.0

    values = np.random.default_rng(0).normal(size=(20, 2))
    path = write(
        tmp_path / "a.nwb",
        ("movie", "TwoPhotonSeries", frames, rate),
        ("traces", "RoiResponseSeries", values, fill),
    )
    if name == "traces":
        with h5py.File(path, "a") as file:
            del file["processing"]
    traces = partita.load(path, dataset=name)
    assert traces.dims == ("time", "neuron")
    np.testing.assert_allclose(traces.time, times)
    np.testing.assert_array_equal(traces, values)


def test_images_of_any_kind_lie_as_the_raw_ones_and_keep_their_rate(tmp_path, frames):
    turned = frames.transpose(0, 2, 1)
    path = write(
        tmp_path / "a.nwb",
        ("movie", "TwoPhotonSeries", turned, rate),
        ("corrected", "ImageSeries", turned, rate),
    )
    corrected = partita.load(path, dataset="corrected")
    np.testing.assert_array_equal(corrected, frames)
    assert corrected.dims == ("time", "y", "x")
    np.testing.assert_allclose(corrected.time, np.arange(12) / 20)


def test_a_file_of_other_images_alone_is_a_recording(tmp_path, frames):
    path = write(tmp_path / "a.nwb", ("eye", "ImageSeries", frames, rate), plane=False)
    with h5py.File(path, "a") as file:
        del file["processing"]
    np.testing.assert_array_equal(partita.load(path), frames.transpose(0, 2, 1))


@pytest.mark.parametrize("name", [None, "linked", "acquisition/linked/data"])
def test_a_linked_series_is_that_which_it_leads_to(tmp_path, frames, name):
    turned = frames.transpose(0, 2, 1)
    write(tmp_path / "raw.nwb", ("movie", "TwoPhotonSeries", turned, rate))
    with h5py.File(tmp_path / "a.nwb", "w") as file:
        file.attrs["nwb_version"] = "2.7.0"
        if name is not None:  # the path that the link leads to is there in this file too
            write_into(file.create_group("acquisition/movie"), turned * 0)
        file.require_group("acquisition")["linked"] = h5py.ExternalLink(
            "raw.nwb", "/acquisition/movie"
        )
    np.testing.assert_array_equal(partita.load(tmp_path / "a.nwb", dataset=name), frames)


def write_into(group, values):
    group.attrs["neurodata_type"] = "TwoPhotonSeries"
    group["data"] = values
    rate(group)


@pytest.mark.parametrize("link", ["data", "series"])
def test_data_in_a_linked_file_are_those_of_that_file(tmp_path, frames, link):
    turned = frames.transpose(0, 2, 1)
    write(tmp_path / "raw.nwb", ("movie", "TwoPhotonSeries", turned, rate))
    with h5py.File(tmp_path / "a.nwb", "w") as file:
        file.attrs["nwb_version"] = "2.7.0"
        if link == "data":
            group = file.create_group("acquisition/new")
            write_into(group, turned)
            del group["data"]
            group["data"] = h5py.ExternalLink("raw.nwb", "/acquisition/movie/data")
            file["acquisition/movie/data"] = turned * 0
        else:
            write_into(file.create_group("acquisition/movie"), turned)
            file["again"] = h5py.SoftLink("/acquisition/movie")
    np.testing.assert_array_equal(partita.load(tmp_path / "a.nwb"), frames)


def test_a_series_whose_file_is_missing_names_it(tmp_path, frames):
    with h5py.File(tmp_path / "a.nwb", "w") as file:
        file.attrs["nwb_version"] = "2.7.0"
        group = file.create_group("acquisition/movie")
        write_into(group, frames)
        del group["data"]
        group["data"] = h5py.ExternalLink("lost.nwb", "/acquisition/movie/data")
    for name in (None, "acquisition/movie"):
        with pytest.raises(OSError, match=r"lost\.nwb, and there is no such file"):
            partita.load(tmp_path / "a.nwb", dataset=name)
