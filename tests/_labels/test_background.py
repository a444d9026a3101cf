"""The mean that was taken away: where it is left, how far it travels, and what it decides."""

import numpy as np
import pytest
import xarray as xr

import partita as pt
from partita.preprocess import bandpass, detrend, highpass, regress_out, split_sign, zscore


def power(seed: int = 0) -> xr.DataArray:
    rng = np.random.default_rng(seed)
    anatomy = rng.uniform(50, 500, (1, 6, 5))
    courses = np.sin(np.arange(120)[:, None] / [5, 9])
    parts = rng.uniform(0, 3, (2, 6, 5))
    values = anatomy + np.tensordot(courses, parts, 1) + 0.1 * rng.standard_normal((120, 6, 5))
    coords = {"time": 0.5 * np.arange(120), "y": 0.1 * np.arange(6), "x": 0.1 * np.arange(5)}
    return xr.DataArray(values, coords, ("time", "y", "x"), attrs={"units": "a.u."})


def anatomy_of(recording: xr.DataArray) -> xr.DataArray:
    return recording.mean("time").reset_coords(drop=True)


def test_the_anatomy_travels_through_the_signs_and_the_fit_to_the_maps():
    recording = power()
    model = pt.NMF(2, random_state=0).fit(split_sign(zscore(detrend(recording))))
    assert model.maps_["background"].dims == ("y", "x")
    found = model.maps_["background"].reset_coords(drop=True)
    xr.testing.assert_allclose(found, anatomy_of(recording))
    assert "background" not in model.signals_.coords


def test_only_the_first_mean_is_left():
    recording = power()
    twice = zscore(highpass(recording, cutoff=0.05))
    xr.testing.assert_allclose(twice["background"].reset_coords(drop=True), anatomy_of(recording))


def test_no_mean_taken_away_leaves_none():
    recording = power()
    assert "background" not in detrend(recording, keep_mean=True).coords
    assert "background" not in highpass(recording, cutoff=0.05, keep_mean=True).coords


def test_a_single_course_and_a_dimension_of_that_name_get_none():
    course = power().isel(y=0, x=0, drop=True)
    assert "background" not in zscore(course).coords
    named = power().rename(x="background")
    assert zscore(named)["background"].dims == ("background",)


def test_a_name_without_time_says_so():
    scores = zscore(power().rename(time="trial").drop_attrs(), sample_dim="trial")
    assert scores["background"].attrs == {"long_name": "Mean over trial"}


def test_maps_find_other_recordings_whatever_their_background():
    first, second = (split_sign(zscore(power(seed))) for seed in (0, 1))
    model = pt.NMF(2, random_state=0).fit(first)
    signals = model.transform(second)
    bare = model.transform(second.drop_vars("background"))
    xr.testing.assert_identical(signals, bare)
    pt.NMF(2, init=model.maps_).fit(second)
    together = pt.NMF(2, random_state=0, mask=zscore(power(2))["background"] > 0)
    assert together.fit_sessions([first, second]).maps_["background"].dims == ("y", "x")


@pytest.mark.parametrize("filtered", [highpass, bandpass])
@pytest.mark.parametrize("chunks", [{"time": 30}, {"y": 2}, {"time": 40, "x": 3}])
def test_a_lazy_filter_computes_its_background_with_the_values(filtered, chunks):
    recording, reads = power(), []

    def read(block):
        reads.append(block.size)
        return block

    lazy = recording.chunk(chunks)
    lazy = lazy.copy(data=lazy.data.map_blocks(read, dtype=float, meta=np.empty((0, 0, 0))))
    cut = {"cutoff": 0.05} if filtered is highpass else {"lowcut": 0.05, "highcut": 0.3}
    result = filtered(lazy, **cut)
    assert result["background"].chunks is not None
    assert reads == []
    assert result.chunksizes["time"] == (120,)  # the background is cut as the values are
    computed = result.compute()
    assert sum(reads) == recording.size
    xr.testing.assert_allclose(
        computed["background"].reset_coords(drop=True), anatomy_of(recording)
    )


def test_what_follows_a_lazy_filter_does_not_compute_its_background():
    filtered = highpass(power().chunk(y=2), cutoff=0.05)
    for result in (zscore(filtered), detrend(filtered), regress_out(filtered, confound())):
        assert result["background"].chunks is not None


def confound() -> xr.DataArray:
    return xr.DataArray(np.arange(120.0) ** 2, dims="time")


@pytest.mark.parametrize("name", ["scores.nc", "scores.zarr"])
@pytest.mark.parametrize("chunks", [None, {"time": 30}])
def test_files_keep_the_background(tmp_path, name, chunks):
    recording = power() if chunks is None else power().chunk(chunks)
    filtered = highpass(recording, cutoff=0.05)
    pt.save(filtered, tmp_path / name)
    xr.testing.assert_identical(pt.load(tmp_path / name).compute(), filtered.compute())


def test_nifti_keeps_the_recording_without_its_background(tmp_path):
    rng = np.random.default_rng(0)
    wide = xr.DataArray(rng.uniform(50, 60, (3, 500, 500)), dims=("time", "y", "x"))
    scores = zscore(
        wide.assign_coords(time=[0.0, 1.0, 2.0], y=np.arange(500.0), x=np.arange(500.0))
    )
    pt.save(scores, tmp_path / "scores.nii.gz")
    found = pt.load(tmp_path / "scores.nii.gz")
    assert "background" not in found.coords
    np.testing.assert_allclose(found.values.squeeze(), scores.values, rtol=1e-6)


def test_a_model_keeps_the_background_of_its_maps(tmp_path):
    model = pt.NMF(2, random_state=0).fit(split_sign(zscore(power())))
    pt.save(model, tmp_path / "mouse")
    loaded = pt.load_model(tmp_path / "mouse.nc")
    xr.testing.assert_identical(loaded.maps_, model.maps_)
