"""A recording saved as NIfTI comes back the same, and lies on the same place for others."""

from __future__ import annotations

import json
import os
import warnings

import dask.array as da
import nibabel as nib
import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import partita
from partita.io import save_recording


def recording_of(*, n_time=6, sizes=(2, 4, 5), affine=None, dtype=np.float32, lazy=False):
    """Return a recording as `load` makes one, with oddities that a sidecar has to hold."""
    values = np.random.default_rng(0).normal(size=(n_time, *sizes)).astype(dtype)
    affine = np.array([[-0.1, 0, 0, 3.95], [0, 0.05, 0, 2.7], [0, 0, 0.4, 1], [0, 0, 0, 1.0]])
    grid = {"affine": np.eye(4).ravel(), "qform_code": 1, "sform_code": 0}
    axes = {
        name: (name, affine[i, 3] + affine[i, i] * np.arange(n), {"units": "mm", "long_name": name})
        for i, (name, n) in enumerate(zip("xyz", sizes[::-1], strict=True))
    }
    times = ("time", 10.608 + 0.3 * np.arange(n_time) ** 1.01, {"units": "s", "long_name": "time"})
    return xr.DataArray(
        da.from_array(values, chunks=(2, -1, -1, -1)) if lazy else values,
        dims=("time", "z", "y", "x"),
        coords={"time": times, **axes, "grid": ((), 0, {"long_name": "grid", **grid})},
        name="pwd",
        attrs={"units": "V^2", "long_name": "Power Doppler", "task_name": "rest"},
    )


def world_of(recording):
    """Return scanner millimetres (3, z, y, x) of every voxel from the recording's coordinates."""
    own = xr.broadcast(*[recording[name] for name in "zyx"])
    z, y, x = (axis.transpose("z", "y", "x").values for axis in own)
    affine = recording.grid.attrs["affine"].reshape(4, 4)
    return np.einsum("ij,jzyx->izyx", affine[:3], np.stack([x, y, z, np.ones_like(x)]))


def assert_on_its_place(path, recording):
    image = nib.load(path)
    ijk = np.stack(np.meshgrid(*[np.arange(n) for n in image.shape[:3]], indexing="ij"), axis=-1)
    by_nibabel = nib.affines.apply_affine(image.affine, ijk).T
    np.testing.assert_allclose(by_nibabel, world_of(recording), atol=2e-5)
    ordered = recording.transpose("time", "z", "y", "x").values
    np.testing.assert_array_equal(np.asarray(image.dataobj).T, ordered)


def assert_comes_back(recording, path):
    """Save, load, and compare values, coordinates, names and attributes."""
    again = partita.load(save_recording(recording, path), chunks=None)
    order = [dim for dim in ("time", "z", "y", "x", "volume") if dim in recording.dims]
    xr.testing.assert_identical(again, recording.transpose(*order))
    for name in recording.coords:
        assert again[name].dtype == recording[name].dtype
    return again


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("lazy", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_recording_comes_back_identical(tmp_path, suffix, lazy, dtype):
    recording = recording_of(lazy=lazy, dtype=dtype)
    again = assert_comes_back(recording, tmp_path / f"sub-01_pwd{suffix}")
    assert again.dtype == dtype
    assert_on_its_place(tmp_path / f"sub-01_pwd{suffix}", recording)


def tilted():
    angle = np.radians(10)
    turn = [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    return np.vstack([np.column_stack([turn, [-4.0, 5, 6]]), [0, 0, 0, 1]])


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
@pytest.mark.parametrize("is_tilted", [False, True])
@pytest.mark.parametrize("codes", [(1, 0), (0, 1), (1, 4), (0, 0)])
@pytest.mark.filterwarnings("ignore:.*degrees off:UserWarning")
def test_cut_decimated_flipped_and_transposed_recordings_stay_on_their_place(
    tmp_path, data, is_tilted, codes
):
    recording = recording_of(sizes=(4, 5, 6))
    attrs = {"qform_code": codes[0], "sform_code": codes[1]}
    attrs["affine"] = (tilted() if is_tilted else np.eye(4)).ravel()
    recording = recording.assign_coords(grid=recording.grid.assign_attrs(attrs))
    part = {
        dim: data.draw(
            st.sampled_from(
                [slice(None), slice(1, None), slice(None, None, 2), slice(None, None, -1)]
            ),
            label=dim,
        )
        for dim in ("z", "y", "x")
    }
    order = data.draw(st.permutations(recording.dims))
    changed = recording.isel(part).transpose(*order)
    assert_comes_back(changed, tmp_path / "a.nii")
    assert_on_its_place(tmp_path / "a.nii", changed)
    # Without its sidecar too: another program reads the place from the header alone.
    (tmp_path / "a.json").unlink()
    alone = partita.load(tmp_path / "a.nii")
    np.testing.assert_allclose(world_of(alone), world_of(changed), atol=2e-5)


@pytest.mark.parametrize("place", [{"z": 1}, {"z": [1]}, {"z": 1, "time": 1}, {"y": 2}])
def test_a_single_slice_comes_back_with_its_thickness(tmp_path, place):
    image = nib.Nifti1Image(np.ones((5, 4, 2, 3), np.float32), np.diag([0.1, 0.05, 0.4, 1]))
    image.header.set_xyzt_units("mm", "sec")
    recording = partita.load(image).isel(place)
    path = save_recording(recording, tmp_path / "part.nii")
    xr.testing.assert_identical(partita.load(path).rename(None), recording)
    np.testing.assert_allclose(nib.affines.voxel_sizes(nib.load(path).affine), [0.1, 0.05, 0.4])


def test_a_fifth_dimension_comes_back(tmp_path):
    recording = recording_of().expand_dims(volume=3, axis=-1).assign_coords(volume=[0, 5, 7])
    assert_comes_back(recording.isel(volume=slice(None)), tmp_path / "a.nii.gz")
    assert nib.load(tmp_path / "a.nii.gz").shape == (5, 4, 2, 6, 3)


def test_coordinates_that_nifti_knows_nothing_of_come_back(tmp_path):
    recording = recording_of().assign_coords(
        run=("time", [1, 1, 1, 2, 2, 2]),
        condition=("time", ["rest", "rest", "face", "face", "house", "rest"], {"long_name": "c"}),
        region=(("y", "x"), np.arange(20).reshape(4, 5) % 3 == 0),
        session=20201011,
        when=("time", np.datetime64("2020-10-11") + np.arange(6).astype("m8[s]")),
        moved=(("time", "z"), np.linspace(0, 1, 12, dtype=np.float32).reshape(6, 2)),
    )
    assert_comes_back(recording, tmp_path / "a.nii.gz")


@pytest.mark.parametrize(
    "times",
    [
        ("time", [0.0, 1.35, 2.7, 4.05, 5.4, 6.75], {"units": "s"}),
        ("time", [0, 500, 1000, 1500, 2000, 2500], {"units": "ms"}),
        ("time", [0.0, 0.5, 1, 1.5, 2, 2.5], {"units": "minutes"}),
        ("time", [0.0, 1, 2, 3, 4, 7], {"units": "hours"}),
        ("time", np.datetime64("2020-10-11", "ns") + np.arange(6).astype("m8[s]")),
        ("time", np.arange(6).astype("m8[s]").astype("m8[ns]")),
        ("time", [0.0, 1, 2, 0, 1, 2]),
        ("time", [0.0, 0.1, 0.5, 0.6, 0.7, 7]),
        ("time", [-1.0, -0.5, 0, 0.5, 1, 1.5]),
        ("time", list("abcdef")),
        ("time", np.arange(6), {"units": "1"}),
    ],
)
def test_times_of_any_kind_come_back(tmp_path, times):
    assert_comes_back(recording_of().assign_coords(time=times), tmp_path / "a.nii.gz")


def test_an_array_without_coordinates_comes_back_without(tmp_path):
    bare = xr.DataArray(np.ones((3, 2, 2), np.float32), dims=("time", "y", "x"))
    assert_comes_back(bare, tmp_path / "a.nii")


def test_positions_in_micrometres_lie_on_their_place(tmp_path):
    recording = recording_of()
    micro = recording.assign_coords(
        {n: (recording[n] * 1000).assign_attrs(units="um") for n in "xyz"}
    )
    assert_comes_back(micro, tmp_path / "a.nii")
    np.testing.assert_allclose(nib.load(tmp_path / "a.nii").affine[:3, 3], [3.95, 2.7, 1])
    pixels = recording.assign_coords(x=("x", np.arange(5), {"units": "pixel"}))
    assert_comes_back(pixels, tmp_path / "b.nii")


def test_the_sidecar_speaks_bids(tmp_path):
    recording = recording_of().assign_attrs(
        {"echo_time": 0.03, "slice_timing": np.array([0, 0.1]), "probe": '{"Elements": 128}',
         "Odd key": 1, "alone": ["x"], "repetition_time": 7.0, "filtered": True, "none": None}
    )  # fmt: skip
    path = save_recording(recording, tmp_path / "a.nii.gz")
    fields = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert fields["VolumeTiming"] == recording.time.values.tolist()
    assert fields["Units"] == "V^2"
    assert fields["EchoTime"] == 0.03
    assert fields["Probe"] == {"Elements": 128}
    again = partita.load(path, chunks=None)
    expected = {**recording.attrs, "filtered": 1}
    del expected["none"]
    xr.testing.assert_identical(again, recording.drop_attrs(deep=False).assign_attrs(expected))


def test_regular_times_are_a_repetition_time(tmp_path):
    times = ("time", 2.5 + 1.35 * np.arange(6), {"units": "s", "long_name": "time"})
    path = save_recording(recording_of().assign_coords(time=times), tmp_path / "a.nii.gz")
    fields = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert (fields["RepetitionTime"], fields["DelayAfterTrigger"]) == (1.35, 2.5)
    assert float(str(nib.load(path).header["pixdim"][4])) == 1.35


@pytest.mark.parametrize(
    ("times", "units", "period"),
    [
        (250 * np.arange(6), "us", 0.00025),
        (250 * np.arange(6), "usec", 0.00025),
        (1350 * np.arange(6), "ms", 1.35),
        (1.35 * np.arange(6), "seconds", 1.35),
        (0.5 * np.arange(6), "min", 30.0),
        (0.5 * np.arange(6), "minute", 30.0),
        (0.5 * np.arange(6), "minutes", 30.0),
        (0.5 * np.arange(6), "hour", 1800.0),
        (0.5 * np.arange(6), "hours", 1800.0),
        (0.5 * np.arange(6), "days", 43200.0),
        (np.arange(6) * np.timedelta64(1350, "ms"), None, 1.35),
        (np.datetime64("2020-10-11", "ns") + np.arange(6) * np.timedelta64(1350, "ms"), None, 1.35),
    ],
)
def test_the_repetition_time_is_in_seconds_whatever_the_unit_of_time(
    tmp_path, times, units, period
):
    attrs = {"units": units} if units else {}
    recording = recording_of().assign_coords(time=("time", times, attrs))
    assert_comes_back(recording, tmp_path / "a.nii.gz")
    fields = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    header = nib.load(tmp_path / "a.nii.gz").header
    assert fields["RepetitionTime"] == pytest.approx(period, rel=1e-9)
    assert header["pixdim"][4] == pytest.approx(period)
    assert header.get_xyzt_units()[1] == "sec"


@pytest.mark.parametrize(("voxels", "notes"), [(0.0009, 0), (0.0011, 1), (0.0019, 1)])
def test_a_header_that_was_moved_by_a_thousandth_of_a_voxel_is_believed(tmp_path, voxels, notes):
    spread = np.array([0.0, 0.1001, 0.2, 0.3, 0.4])
    recording = recording_of()
    recording = recording.assign_coords(x=("x", spread, {"units": "mm"}))
    path = save_recording(recording, tmp_path / "a.nii")
    raw = bytearray(path.read_bytes())
    size = np.frombuffer(raw[80:92], "<f4").min()
    for place in (268, 280 + 12):  # qoffset_x, and the last of srow_x
        moved = np.frombuffer(raw[place : place + 4], "<f4") + size * voxels
        raw[place : place + 4] = moved.astype("<f4").tobytes()
    path.write_bytes(raw)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        partita.load(path)
    changed = [one for one in said if "changed after its sidecar" in str(one.message)]
    assert len(changed) == notes


def test_a_sidecar_that_was_changed_by_hand_is_believed(tmp_path):
    times = ("time", 0.1 + 0.3 * np.arange(6) ** 1.01, {"units": "s"})
    path = save_recording(recording_of().assign_coords(time=times), tmp_path / "a.nii")
    fields = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    fields["VolumeTiming"] = [0.0, 1, 2, 3, 4, 5]
    (tmp_path / "a.json").write_text(json.dumps(fields), encoding="utf-8")
    with pytest.warns(UserWarning, match=r"changed after its sidecar was written; .*\['time'\]"):
        recording = partita.load(path)
    np.testing.assert_array_equal(recording.time, np.arange(6))


@pytest.mark.filterwarnings("ignore:.*degrees off:UserWarning")
def test_an_image_that_was_moved_or_resized_is_believed(tmp_path):
    path = save_recording(recording_of().isel(y=slice(1, None)), tmp_path / "a.nii")
    image = nib.load(path)
    affine = image.affine.copy()
    affine[0, 3] += 50
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), affine, image.header), tmp_path / "b.nii")
    fields = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    fields["Partita"]["Coordinates"] = {
        "x": {"Dimensions": ["x"], "Type": "<f8", "Values": [0, 1, 2, 3, 4], "Attributes": {}},
        "run": {"Dimensions": ["time"], "Type": "<i8", "Values": [1], "Attributes": {}},
    }
    (tmp_path / "b.json").write_text(json.dumps(fields), encoding="utf-8")
    with (
        pytest.warns(UserWarning, match=r"place or time of the file was changed.*\['x'\]"),
        pytest.warns(UserWarning, match=r"coordinates \['run'\] have other sizes"),
    ):
        recording = partita.load(tmp_path / "b.nii")
    np.testing.assert_allclose(recording.x, 53.95 - 0.1 * np.arange(5), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "f8", "?", ">f4"])
def test_values_of_every_kind_keep_their_numbers(tmp_path, dtype):
    recording = recording_of()
    recording = recording.copy(data=(recording.values * 10).astype(dtype))
    again = partita.load(save_recording(recording, tmp_path / "a.nii"))
    np.testing.assert_array_equal(again.values, recording.values)


def test_more_volumes_than_nifti_1_can_count_are_written_as_nifti_2(tmp_path):
    recording = xr.DataArray(
        da.zeros((40_000, 1, 2), dtype=np.float32, chunks=(7_000, 1, 2)),
        dims=("time", "y", "x"),
        coords={"time": 0.1 * np.arange(40_000)},
    )
    path = save_recording(recording, tmp_path / "a.nii")
    assert isinstance(nib.load(path), nib.Nifti2Image)
    xr.testing.assert_identical(partita.load(path, chunks=None), recording.compute())


def test_equal_recordings_give_equal_files(tmp_path):
    first = save_recording(recording_of(), tmp_path / "a" / "rest.nii.gz")
    second = save_recording(recording_of(lazy=True), tmp_path / "b" / "rest.nii.gz")
    assert first.read_bytes() == second.read_bytes()
    assert first.with_name("rest.json").read_bytes() == second.with_name("rest.json").read_bytes()


def test_a_recording_can_be_saved_onto_its_own_file(tmp_path):
    path = save_recording(recording_of(), tmp_path / "a.nii.gz")
    save_recording(partita.load(path, chunks=2) * 2, path, overwrite=True)
    np.testing.assert_array_equal(partita.load(path).values, recording_of().values * 2)


# What NIfTI cannot hold


def test_other_dimensions_are_refused_with_the_remedy(tmp_path):
    signed = recording_of().expand_dims(sign=["positive", "negative"])
    with pytest.raises(ValueError, match=r"also has \['sign'\]. Save it as a.nc instead"):
        save_recording(signed, tmp_path / "a.nii.gz")
    signals = xr.DataArray(np.ones((3,)), dims="time")
    with pytest.raises(ValueError, match=r"holds images.*\{'time': 3\}.*Save it as a.nc"):
        save_recording(signals, tmp_path / "a.nii.gz")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("positions", "words"),
    [
        ([0, 1, 2, 3, 9], r"evenly spaced positions along 'x', and here neighbours are 1 to 6 mm"),
        ([1, 1, 1, 1, 1], r"evenly spaced"),
        (list("abcde"), r"numeric positions along 'x'"),
        ([0, 1, np.nan, 3, 4], r"numeric positions along 'x'"),
    ],
)
def test_positions_that_are_no_grid_are_refused_with_the_remedy(tmp_path, positions, words):
    with pytest.raises(ValueError, match=f"{words}.*Save it as .nc instead"):
        save_recording(recording_of().assign_coords(x=positions), tmp_path / "a.nii")


def test_a_grid_that_is_no_affine_is_refused(tmp_path):
    recording = recording_of().assign_coords(grid=((), 0, {"affine": np.ones(4)}))
    with pytest.raises(ValueError, match=r"16 finite numbers.*drop_vars\('grid'\)"):
        save_recording(recording, tmp_path / "a.nii")


def test_coordinates_too_large_or_odd_for_a_sidecar_are_refused(tmp_path):
    large = recording_of(n_time=30, sizes=(1, 100, 100))
    large = large.assign_coords(shift=(large.dims, np.zeros(large.shape)))
    with pytest.raises(ValueError, match=r"'shift' has 300000 values.*Save it as .nc instead"):
        save_recording(large, tmp_path / "a.nii")
    odd = recording_of().assign_coords(odd=("time", [1j] * 6))
    with pytest.raises(ValueError, match=r"'odd' holds complex128.*Save it as .nc instead"):
        save_recording(odd, tmp_path / "a.nii")


def test_values_that_are_not_real_numbers_are_refused(tmp_path):
    with pytest.raises(TypeError, match="complex"):
        save_recording(recording_of().astype(complex), tmp_path / "a.nii")
    with pytest.raises(TypeError, match=r"up to 64 bits, and this one float128"):
        save_recording(recording_of().astype(np.longdouble), tmp_path / "a.nii")
    with pytest.raises(TypeError, match="ndarray"):
        save_recording(np.zeros((3, 3)), tmp_path / "a.nii")


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"must be .nii, .nii.gz, .nc, .zarr, .tsv or .csv"):
        save_recording(recording_of(), tmp_path / "a.mat")


# A failure leaves what was there


def broken(recording):
    def fail(block):
        raise OSError(28, "No space left on device")

    return recording.copy(
        data=da.concatenate(
            [recording.data[:2], recording.data[2:].map_blocks(fail, meta=np.empty(0))]
        )
    )


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nc", "a.zarr"])
def test_a_failure_while_saving_leaves_the_old_recording(tmp_path, name):
    if name.endswith("zarr"):
        pytest.importorskip("zarr")
    recording = recording_of(lazy=True)
    path = save_recording(recording, tmp_path / name)
    files = sorted(tmp_path.iterdir())
    with pytest.raises(OSError, match="No space left"):
        save_recording(broken(recording), path)
    assert sorted(tmp_path.iterdir()) == files
    xr.testing.assert_identical(partita.load(path, chunks=None), recording.compute())


def test_a_folder_is_not_replaced_by_a_file(tmp_path):
    (tmp_path / "a.nii").mkdir()
    with pytest.raises(IsADirectoryError, match=r"a\.nii is a folder"):
        save_recording(recording_of(), tmp_path / "a.nii")


class Killed(BaseException):
    """Stands for a process that ends."""


@pytest.mark.parametrize("foreign", [False, True])
def test_a_kill_between_the_sidecar_and_the_image_is_noticed(tmp_path, monkeypatch, foreign):
    path, replace = tmp_path / "scan.nii.gz", os.replace
    older = xr.DataArray(np.ones((4, 1, 3, 2), np.float32), dims=("time", "z", "y", "x"))
    newer = (older + 1).assign_attrs(units="1", history="zscore(ddof=0)")
    partita.save(older, path)
    if foreign:
        image = nib.Nifti1Image(np.ones((2, 3, 1, 4), np.float32), np.eye(4))
        image.header.set_xyzt_units("mm", "sec")
        nib.save(image, path)

    def dying(source, target):
        if str(target) == str(path):
            raise Killed
        replace(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", dying)
        with pytest.raises(Killed):
            partita.save(newer, path)
    if foreign:
        with pytest.warns(UserWarning, match="or a save was interrupted"):
            partita.load(path)
        return
    with pytest.raises(ValueError, match="not of the same save as its image"):
        partita.load(path)
    with pytest.raises(ValueError, match="not of the same save as its image"):
        partita.load(nib.load(path))
    partita.save(newer, path)
    assert partita.load(path, chunks=None).attrs["units"] == "1"


def test_a_qform_of_other_voxel_sizes_comes_back_as_it_was(tmp_path):
    sform, qform = np.diag([2.0, 2.0, 3.0, 1.0]), np.diag([1.5, 1.0, 4.0, 1.0])
    image = nib.Nifti1Image(np.zeros((2, 3, 4, 5), np.float32), sform)
    image.header.set_xyzt_units("mm", "sec")
    image.header["pixdim"][4] = 2.0
    image.set_sform(sform, code=2)
    image.set_qform(qform, code=1)
    nib.save(image, tmp_path / "a.nii")
    recording = partita.load(tmp_path / "a.nii")
    saved = nib.load(partita.save(recording, tmp_path / "b.nii")[0])
    np.testing.assert_allclose(saved.get_sform(), sform)
    np.testing.assert_allclose(saved.get_qform(), qform)
    assert (int(saved.header["qform_code"]), int(saved.header["sform_code"])) == (1, 2)
    cropped = nib.load(partita.save(recording[:, 1:, 1:], tmp_path / "c.nii")[0])
    np.testing.assert_allclose(cropped.get_qform()[:3, 3], [0, 1, 4])
    np.testing.assert_allclose(cropped.get_qform()[:3, :3], qform[:3, :3])
    again = partita.load(tmp_path / "b.nii", chunks=None)
    assert again.identical(recording.compute())
