"""Models to files and back, and what is refused on the way."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np
import pytest
import xarray as xr
from sklearn.exceptions import NotFittedError

import partita


def recording() -> xr.DataArray:
    rng = np.random.default_rng(0)
    return xr.DataArray(
        rng.random((30, 2, 1, 6, 5)).astype("float32"),
        dims=("time", "sign", "z", "y", "x"),
        coords={
            "time": np.arange(30) * 0.3, "sign": ["positive", "negative"], "z": [0.0],
            "y": np.arange(6) * 0.1, "x": np.arange(5) * 0.1,
        },
        attrs={"units": "1"},
    )  # fmt: skip


def test_a_prefix_gets_maps_signals_description_and_the_whole(tmp_path) -> None:
    model = partita.NMF(3, random_state=0).fit(recording())
    written = partita.save(model, tmp_path / "derivatives" / "sub-1_desc-nmf")
    assert sorted(path.name for path in written) == [
        "sub-1_desc-nmf.nc",
        "sub-1_desc-nmf_decomposition.json",
        "sub-1_desc-nmf_mixing.tsv",
        "sub-1_desc-nmf_sign-negative_components.nii.gz",
        "sub-1_desc-nmf_sign-positive_components.nii.gz",
    ]
    assert written[-1].name == "sub-1_desc-nmf.nc"
    about = json.loads(
        (tmp_path / "derivatives" / "sub-1_desc-nmf_decomposition.json").read_text(encoding="utf-8")
    )
    assert "NMF" in json.dumps(about)
    again = partita.load_model(tmp_path / "derivatives" / "sub-1_desc-nmf.nc")
    xr.testing.assert_identical(again.maps_, model.maps_)


def test_the_description_says_where_the_recording_is_from_and_how_good_the_fit(tmp_path) -> None:
    source = recording().assign_attrs(history="load('sub-1_pwd.nii.gz')\nzscore(ddof=0)")
    model = partita.NMF(3, random_state=0).fit(source)
    partita.save(model, tmp_path / "nmf")
    about = json.loads((tmp_path / "nmf_decomposition.json").read_text(encoding="utf-8"))
    assert about["Sources"] == ["sub-1_pwd.nii.gz"]
    assert about["GeneratedBy"][0]["Name"] == "Partita"
    assert about["History"][:2] == ["load('sub-1_pwd.nii.gz')", "zscore(ddof=0)"]
    assert about["History"][2].startswith("NMF(")
    np.testing.assert_allclose(about["Explained"]["R2"], model.explained_.r2)
    np.testing.assert_allclose(about["Explained"]["VAF"], model.explained_.vaf)
    assert about["Residual"].keys() == {"maps", "signals"}
    assert 0 <= about["Residual"]["maps"] < 1


def test_a_saved_recording_comes_back(tmp_path) -> None:
    partita.save(recording(), tmp_path / "recording.nc")
    again = partita.load(tmp_path / "recording.nc", chunks=None)
    xr.testing.assert_equal(again, recording())


def test_a_model_comes_back_from_a_zarr_store_too(tmp_path) -> None:
    source = recording()
    model = partita.NMF(3, mask=source["y"] > 0.05, random_state=0).fit(source)
    partita.save(model, tmp_path / "model.zarr")
    again = partita.load_model(tmp_path / "model.zarr")
    for name in ("mask", "maps_", "signals_", "energy_", "losses_", "optimality_"):
        xr.testing.assert_identical(getattr(again, name), getattr(model, name))
    xr.testing.assert_identical(again.transform(source), model.transform(source))


def test_array_parameters_come_back(tmp_path) -> None:
    source = recording()
    first = partita.NMF(3, random_state=0).fit(source)
    fixed = first.maps_.isel(component=[1]).assign_coords(component=["known"])
    start = xr.Dataset({"maps": first.maps_, "signals": first.signals_})
    for parameters in ({"fixed_maps": fixed}, {"init": start}, {"init": first.maps_}):
        model = partita.NMF(4, random_state=0, **parameters).fit(source)
        partita.save(model, tmp_path / "model.nc")
        again = partita.load_model(tmp_path / "model.nc")
        for name, value in parameters.items():
            xr.testing.assert_equal(getattr(again, name), value)
        xr.testing.assert_identical(again.maps_, model.maps_)
        xr.testing.assert_allclose(again.fit(source).maps_, model.maps_)


def test_durations_are_not_saved(tmp_path) -> None:
    model = partita.NMF(3, random_state=0).fit(recording())
    partita.save(model, tmp_path / "model.nc")
    again = partita.load_model(tmp_path / "model.nc")
    assert "seconds" in model.fit_report_
    assert "seconds" not in again.fit_report_
    assert again.fit_report_["passes"] == model.fit_report_["passes"]


def test_an_unfitted_model_is_refused(tmp_path) -> None:
    with pytest.raises(NotFittedError):
        partita.save(partita.NMF(3), tmp_path / "model.nc")


def test_what_is_neither_recording_nor_model_is_refused(tmp_path) -> None:
    with pytest.raises(TypeError, match="was given dict"):
        partita.save({}, tmp_path / "model.nc")


@pytest.mark.parametrize("suffix", [".nii.gz", ".pkl", ".json"])
def test_a_suffix_that_would_lose_something_is_refused(tmp_path, suffix: str) -> None:
    model = partita.PCA(2).fit(recording())
    with pytest.raises(ValueError, match=r"saved as .nc or .zarr, or with a prefix"):
        partita.save(model, tmp_path / f"model{suffix}")
    assert list(tmp_path.iterdir()) == []


def test_a_file_without_a_model_is_refused(tmp_path) -> None:
    partita.save(recording(), tmp_path / "recording.nc")
    with pytest.raises(ValueError, match=r"holds no model of Partita.*partita.load"):
        partita.load_model(tmp_path / "recording.nc")


def test_a_model_of_a_later_version_is_refused(tmp_path) -> None:
    model = partita.PCA(2).fit(recording())
    from partita.decomposition import persistence

    dataset = persistence.to_dataset(model)
    about = json.loads(dataset.attrs["partita_model"]) | {"class": "Tensor", "version": "9.0"}
    dataset.attrs["partita_model"] = json.dumps(about)
    with pytest.raises(ValueError, match=r"class 'Tensor', written by Partita 9.0"):
        persistence.from_dataset(dataset)


def test_a_missing_file_is_named(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere.nc"):
        partita.load_model(tmp_path / "nowhere.nc")


def test_a_failed_save_leaves_the_old_model(tmp_path, monkeypatch) -> None:
    model = partita.PCA(2).fit(recording())
    partita.save(model, tmp_path / "model.nc")
    before = (tmp_path / "model.nc").read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("partita.io.stores.full_disk.write_at", full)
    with pytest.raises(OSError, match="No space left"):
        partita.save(model, tmp_path / "model.nc")
    assert (tmp_path / "model.nc").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["model.nc"]


def test_a_model_is_found_under_the_prefix_it_was_saved_under(tmp_path) -> None:
    model = partita.NMF(3, random_state=0).fit(recording())
    partita.save(model, tmp_path / "sub-1_desc-nmf")
    again = partita.load_model(tmp_path / "sub-1_desc-nmf")
    xr.testing.assert_identical(again.maps_, model.maps_)
    with pytest.raises(FileNotFoundError, match="sub-2"):
        partita.load_model(tmp_path / "sub-2")


@pytest.mark.slow
@pytest.mark.parametrize("last", range(5))
def test_a_prefix_whose_save_was_killed_is_noticed_or_whole(tmp_path, monkeypatch, last) -> None:
    source = recording()
    older, newer = partita.PCA(2).fit(source), partita.PCA(2).fit(source**2)
    written = partita.save(older, tmp_path / "a")
    replaced: list[str] = []
    replace = os.replace

    def dying(*names: Any) -> None:
        if len(replaced) > last:
            raise KeyboardInterrupt
        replaced.append(str(names[1]))
        replace(*names)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", dying)
        if last < len(written) - 1:
            with pytest.raises(KeyboardInterrupt):
                partita.save(newer, tmp_path / "a")
        else:
            partita.save(newer, tmp_path / "a")
    if last == len(written) - 1:
        assert partita.load_model(tmp_path / "a.nc").maps_.identical(newer.maps_)
        return
    with pytest.warns(UserWarning, match="beside .*a.nc are of another save"):
        assert partita.load_model(tmp_path / "a.nc").maps_.identical(older.maps_)
