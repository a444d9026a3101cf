"""Maps and signals as images, tables and a description that other programs read."""

from __future__ import annotations

import csv
import json
import os

import nibabel as nib
import numpy as np
import pytest
import xarray as xr

import partita
from partita.io import write_components


def maps_of(dims=("component", "z", "y", "x"), sizes=(3, 2, 4, 5)):
    values = np.random.default_rng(0).random(sizes).astype(np.float32)
    axes = {"x": 3.9 - 0.1 * np.arange(5), "y": 0.05 * np.arange(4), "z": [1.0, 1.4]}
    coords = {
        name: (name, values[: dict(zip(dims, sizes, strict=True))[name]], {"units": "mm"})
        for name, values in axes.items()
        if name in dims
    }
    grid = {"affine": np.eye(4).ravel(), "qform_code": 1, "sform_code": 0}
    coords |= {"component": np.arange(sizes[0]), "grid": ((), 0, grid)}
    return xr.DataArray(values, dims=dims, coords=coords, attrs={"units": "1"})


def signals_of(n=6, components=3):
    values = np.random.default_rng(1).random((n, components)).astype(np.float32)
    time = ("time", 0.1 + 0.3 * np.arange(n), {"units": "s"})
    coords = {"time": time, "component": np.arange(components)}
    return xr.DataArray(values, dims=("time", "component"), coords=coords, attrs={"units": "V^2"})


def written(maps, tmp_path, signals=None, **description):
    signals = signals_of() if signals is None else signals
    return write_components(maps, signals, tmp_path / "sub-01_desc-nmf", description=description)


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file, delimiter="\t"))


def test_maps_signals_and_description_are_written_under_the_prefix(tmp_path):
    paths = written(maps_of(), tmp_path / "derivatives")
    assert [path.name for path in paths] == [
        "sub-01_desc-nmf_components.nii.gz",
        "sub-01_desc-nmf_mixing.tsv",
        "sub-01_desc-nmf_decomposition.json",
    ]
    assert sorted(paths) == sorted((tmp_path / "derivatives").iterdir())


def test_images_have_the_axes_x_y_z_component_on_the_place_of_the_recording(tmp_path):
    maps = maps_of()
    image = nib.load(written(maps.transpose("x", "component", "z", "y"), tmp_path)[0])
    assert image.shape == (5, 4, 2, 3)
    assert image.get_data_dtype() == np.float32
    np.testing.assert_array_equal(np.asarray(image.dataobj).T, maps.values)
    expected = np.diag([-0.1, 0.05, 0.4, 1])
    expected[:3, 3] = [3.9, 0, 1]
    np.testing.assert_allclose(image.affine, expected, atol=1e-6)


def test_maps_of_one_slice_without_z_are_images_too(tmp_path):
    maps = maps_of().isel(z=1)
    image = nib.load(written(maps, tmp_path)[0])
    assert image.shape == (5, 4, 1, 3)
    assert image.affine[2, 3] == pytest.approx(1.4)


def test_each_sign_has_its_own_image(tmp_path):
    signed = xr.concat([maps_of(), 2 * maps_of()], "sign", coords="minimal", compat="override")
    signed = signed.assign_coords(sign=["positive", "negative"])
    paths = written(signed.transpose("component", "sign", ...), tmp_path)
    assert [path.name for path in paths[:2]] == [
        "sub-01_desc-nmf_sign-positive_components.nii.gz",
        "sub-01_desc-nmf_sign-negative_components.nii.gz",
    ]
    for path, sign in zip(paths, ["positive", "negative"], strict=False):
        expected = signed.sel(sign=sign).transpose("component", "z", "y", "x").values
        np.testing.assert_array_equal(np.asarray(nib.load(path).dataobj).T, expected)


@pytest.mark.parametrize(
    ("labels", "entities"),
    [
        (None, ["plane-0", "plane-1"]),
        ([2, 7], ["plane-2", "plane-7"]),
        ([-0.5, 1.25], ["plane-m0p5", "plane-1p25"]),
        (["top/left", "mid"], ["plane-topleft", "plane-mid"]),
        (["a b", "ab"], ["plane-0", "plane-1"]),
    ],
)
def test_every_other_dimension_is_taken_apart_by_its_labels(tmp_path, labels, entities):
    maps = maps_of(("component", "plane", "y", "x"), (3, 2, 4, 5))
    maps = maps if labels is None else maps.assign_coords(plane=labels)
    paths = written(maps, tmp_path)
    assert [path.name.split("_")[2] for path in paths[:2]] == entities
    values = [np.asarray(nib.load(path).dataobj)[:, :, 0].T for path in paths[:2]]
    np.testing.assert_array_equal(np.stack(values, axis=1), maps.values)


def test_maps_without_y_and_x_are_a_table_with_a_row_for_each_feature(tmp_path):
    maps = maps_of(("component", "sign", "neuron"), (2, 2, 3)).assign_coords(
        sign=["positive", "negative"], neuron=["AVA", "AVE", "RIM"]
    )
    maps[0, 1, 2] = np.nan
    paths = written(maps, tmp_path, signals_of(components=2))
    assert paths[0].name == "sub-01_desc-nmf_components.tsv"
    header, *rows = rows_of(paths[0])
    assert header == ["sign", "neuron", "component_0", "component_1"]
    assert [row[:2] for row in rows][:4] == [
        ["positive", "AVA"], ["positive", "AVE"], ["positive", "RIM"], ["negative", "AVA"],
    ]  # fmt: skip
    assert rows[-1][2] == "n/a"
    assert np.float32(rows[1][3]) == maps.values[1, 0, 1]


def test_signals_are_a_table_that_reads_back_exactly(tmp_path):
    signals = signals_of()
    header, *rows = rows_of(written(maps_of(), tmp_path, signals.transpose())[1])
    assert header == ["time", "component_0", "component_1", "component_2"]
    np.testing.assert_array_equal(np.array(rows)[:, 0].astype(float), signals.time)
    np.testing.assert_array_equal(np.array(rows)[:, 1:].astype(np.float32), signals.values)


def test_components_and_samples_keep_their_own_labels(tmp_path):
    signals = signals_of().rename(time="volume").drop_vars("volume")
    signals = signals.assign_coords(component=["motor", "visual", "rest"])
    maps = maps_of().assign_coords(component=["motor", "visual", "rest"])
    header, first, *_ = rows_of(written(maps, tmp_path, signals)[1])
    assert header == ["volume", "component_motor", "component_visual", "component_rest"]
    assert first[0] == "0"


def test_the_description_says_what_made_the_files(tmp_path):
    paths = written(maps_of(), tmp_path, Method="NMF", Parameters={"tol": np.float64(1e-3)})
    about = json.loads(paths[-1].read_text(encoding="utf-8"))
    assert about["GeneratedBy"] == [{"Name": "Partita", "Version": partita.__version__}]
    assert about["Method"] == "NMF"
    assert about["Parameters"] == {"tol": 1e-3}
    assert about["Components"] == [0, 1, 2]
    assert about["Signals"]["Units"] == "V^2"
    assert about["Maps"]["Units"] == "1"
    assert about["SampleUnits"] == "s"
    assert about["Files"] == [path.name for path in paths[:-1]]


def test_an_interrupted_write_leaves_the_old_files(tmp_path, monkeypatch):
    paths = written(maps_of(), tmp_path)
    before = {path: path.read_bytes() for path in paths}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        written(maps_of() + 1, tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_equal_components_give_equal_files(tmp_path):
    first, second = written(maps_of(), tmp_path / "a"), written(maps_of(), tmp_path / "b")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_what_has_no_components_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"Maps have the dimension 'component'"):
        written(maps_of().rename(component="k"), tmp_path)
    with pytest.raises(ValueError, match=r"Signals have two dimensions"):
        written(maps_of(), tmp_path, signals_of().isel(time=0))


def test_maps_and_signals_of_other_numbers_are_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(ValueError, match=r"3 maps and 1 signals\. .* of one fitted model"):
        written(maps_of(), tmp_path, signals_of().isel(component=[0]))
    assert list(tmp_path.iterdir()) == []


def test_uneven_positions_are_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(ValueError, match=r"evenly spaced positions along 'x'"):
        written(maps_of().assign_coords(x=[0, 1, 2, 3, 9]), tmp_path)
    assert list(tmp_path.iterdir()) == []
