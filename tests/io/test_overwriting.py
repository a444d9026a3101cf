"""A save replaces what it wrote before, and nothing else unless it is told to."""

from __future__ import annotations

import json
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import xarray as xr

import partita
from partita.io import read_dataset, write_dataset
from partita.io.overwriting import kind_at, refuse_inputs


def recording_of(fill=1.0):
    return xr.DataArray(
        np.full((12, 1, 4, 3), fill, np.float32),
        dims=("time", "z", "y", "x"),
        coords={"time": ("time", 0.5 * np.arange(12), {"units": "s"})},
    )


def model_of(fill=1.0):
    return partita.PCA(1).fit(recording_of(fill) * np.arange(1.0, 13)[:, None, None, None])


def write_foreign(path):
    """Write what another program may have left under such a name."""
    if path.suffix == ".zarr":
        zarr = pytest.importorskip("zarr")
        zarr.create_array(store=str(path), data=np.arange(4.0))
    elif path.name.endswith((".nii", ".nii.gz")):
        nib.save(nib.Nifti1Image(np.ones((3, 4, 1, 2), np.float32), np.eye(4)), path)
    elif path.suffix == ".nc":
        xr.Dataset({"a": ("y", [1.0])}).to_netcdf(path, engine="h5netcdf")
    else:
        path.write_text("years of work", encoding="utf-8")


def save_recording(path, **how):
    partita.save(recording_of(), path, **how)


def save_model(path, **how):
    partita.save(model_of(), path, **how)


def save_parts(path, **how):
    partita.save(model_of(), path.with_name(path.stem.partition("_")[0]), **how)


def save_dataset(path, **how):
    write_dataset(xr.Dataset({"a": 1}), path, **how)


WRITERS = {
    **{f"recording{suffix}": save_recording for suffix in (".nc", ".zarr", ".nii", ".nii.gz")},
    **{f"model{suffix}": save_model for suffix in (".nc", ".zarr")},
    **{f"dataset{suffix}": save_dataset for suffix in (".nc", ".zarr")},
    "prefix.nc": save_parts,
    "prefix_mixing.tsv": save_parts,
    "prefix_decomposition.json": save_parts,
    "prefix_components.nii.gz": save_parts,
}


@pytest.fixture(params=WRITERS)
def case(request, tmp_path):
    if request.param.endswith(".zarr"):
        pytest.importorskip("zarr")
    return WRITERS[request.param], tmp_path / request.param


def content(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_what_another_program_wrote_is_replaced_only_where_that_is_said(case, tmp_path):
    write, path = case
    write_foreign(path)
    before = content(tmp_path)
    with pytest.raises(
        FileExistsError, match=rf"{path.name} was not written by Partita.*overwrite"
    ):
        write(path)
    assert content(tmp_path) == before
    write(path, overwrite=True)
    assert content(tmp_path) != before
    write(path)  # now it is of the same kind


def test_a_file_that_nobody_can_read_is_not_replaced(case, tmp_path):
    write, path = case
    if path.suffix == ".zarr":
        pytest.skip("a folder")
    path.write_bytes(b"\x00\x01")
    with pytest.raises(FileExistsError, match="was not written by Partita"):
        write(path)
    assert path.read_bytes() == b"\x00\x01"


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
@pytest.mark.parametrize("written", ["recording", "model", "dataset"])
@pytest.mark.parametrize("standing", ["recording", "model", "dataset"])
def test_a_thing_of_another_kind_is_replaced_only_where_that_is_said(
    tmp_path, suffix, written, standing
):
    if suffix == ".zarr":
        pytest.importorskip("zarr")
    path = tmp_path / f"a{suffix}"
    WRITERS[f"{standing}{suffix}"](path)
    assert kind_at(path) == standing
    before = content(tmp_path)
    if written == standing:
        WRITERS[f"{written}{suffix}"](path)
        return
    with pytest.raises(FileExistsError, match=f"holds a {standing}, and a {written} would"):
        WRITERS[f"{written}{suffix}"](path)
    assert content(tmp_path) == before


def test_a_prefix_beside_a_recording_of_its_name_leaves_it(tmp_path):
    partita.save(recording_of(), tmp_path / "mouse.nc")
    before = content(tmp_path)
    with pytest.raises(FileExistsError, match=r"mouse.nc holds a recording, and a model would"):
        partita.save(model_of(), tmp_path / "mouse")
    assert content(tmp_path) == before


@pytest.mark.parametrize("own", [True, False])
def test_the_sidecar_of_another_image_is_not_replaced(tmp_path, own):
    raw, mean = tmp_path / "scan.nii.gz", recording_of().mean("time")
    if own:
        partita.save(recording_of(), raw)
    else:
        nib.save(nib.Nifti1Image(np.ones((3, 4, 1, 2), np.float32), np.eye(4)), raw)
        raw.with_name("scan.json").write_text('{"RepetitionTime": 2}', encoding="utf-8")
    before = content(tmp_path)
    with pytest.raises(FileExistsError, match=r"scan.json holds a description, of scan.nii.gz"):
        partita.save(mean, tmp_path / "scan.nii")
    assert content(tmp_path) == before
    partita.save(mean, tmp_path / "scan.nii", overwrite=True)
    assert "Partita" in json.loads((tmp_path / "scan.json").read_text(encoding="utf-8"))


def test_one_sidecar_may_serve_two_images_of_which_it_says_the_same(tmp_path):
    for suffix in (".nii", ".nii.gz", ".nii"):
        partita.save(recording_of(), tmp_path / f"scan{suffix}")
    with pytest.raises(FileExistsError, match=r"holds a description, of scan\.nii"):
        partita.save(recording_of().assign_attrs(units="V"), tmp_path / "scan.nii.gz")


def test_a_sidecar_alone_that_another_program_wrote_is_not_replaced(tmp_path):
    (tmp_path / "scan.json").write_text('{"RepetitionTime": 2}', encoding="utf-8")
    with pytest.raises(FileExistsError, match=r"scan.json was not written by Partita"):
        partita.save(recording_of(), tmp_path / "scan.nii")


def test_an_image_whose_sidecar_was_deleted_is_still_known(tmp_path):
    partita.save(recording_of(), tmp_path / "scan.nii")
    (tmp_path / "scan.json").unlink()
    partita.save(recording_of(2.0), tmp_path / "scan.nii")
    assert float(partita.load(tmp_path / "scan.nii", chunks=None).max()) == 2


def test_the_mark_of_a_dataset_is_not_read_as_an_attribute(tmp_path):
    dataset = xr.Dataset({"a": ("y", [1.0])}, attrs={"history": "none"})
    assert read_dataset(write_dataset(dataset, tmp_path / "a.nc")).identical(dataset)


def test_what_is_read_is_found_behind_links_and_inside_stores(tmp_path):
    store = tmp_path / "a.zarr"
    store.mkdir()
    (tmp_path / "link").symlink_to(store)
    for path in (store, tmp_path / "link", store / "inside.nc", tmp_path):
        with pytest.raises(FileExistsError, match="never replaced"):
            refuse_inputs([path], [store])
    refuse_inputs([tmp_path / "b.zarr"], [store])


def test_what_is_read_is_found_under_every_name_that_the_file_system_knows(tmp_path, monkeypatch):
    store, image = tmp_path / "a.zarr", tmp_path / "scan.nii"
    store.mkdir()
    image.touch()
    (tmp_path / "A.ZARR").symlink_to(store)
    os.link(image, tmp_path / "SCAN.NII")
    # As where case tells nothing apart: there names do not lead to one place.
    monkeypatch.setattr(Path, "resolve", Path.absolute)
    for path in ("A.ZARR", "A.ZARR/inside.nc", "SCAN.NII"):
        with pytest.raises(FileExistsError, match="never replaced"):
            refuse_inputs([tmp_path / path], [store, image])


def test_what_is_read_is_found_in_the_folder_of_its_user(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for path, source in (("~/a.nc", tmp_path / "a.nc"), (tmp_path / "a.nc", "~/a.nc")):
        with pytest.raises(FileExistsError, match="never replaced"):
            refuse_inputs([Path(path)], [Path(source)])


@pytest.mark.parametrize("name", ["a.nc", "a.zarr", "a.nii", "a.nii.gz"])
def test_what_is_still_read_from_a_file_replaces_it_only_where_that_is_said(tmp_path, name):
    if name == "a.zarr":
        pytest.importorskip("zarr")
    path = tmp_path / name
    values = np.arange(48, dtype="f4").reshape(4, 1, 3, 4)
    raw = xr.DataArray(values, dims=("time", "z", "y", "x"), coords={"time": [0.0, 1.0, 2.0, 3.0]})
    partita.save(raw, path)
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    lazy = partita.load(tmp_path / "link" / name, chunks=2)
    if name != "a.zarr":
        os.link(path, tmp_path / f"second-{name}")
        with pytest.raises(FileExistsError, match="still read from"):
            partita.save(lazy, tmp_path / f"second-{name}")
    for made in (lazy, lazy * 2, (lazy - lazy.mean("time")).isel(time=slice(1, 3))):
        with pytest.raises(FileExistsError, match="still read from"):
            partita.save(made, path)
    np.testing.assert_array_equal(partita.load(path), raw)
    partita.save(2 * partita.load(path), path, overwrite=True)
    partita.save(2 * partita.load(path, chunks=None), path)
    np.testing.assert_array_equal(partita.load(path), 4 * raw)
