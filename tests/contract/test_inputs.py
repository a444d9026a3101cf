"""Valid input of any form is taken; what cannot be is refused at once, in words of ours."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from sklearn.exceptions import ConvergenceWarning

import partita
from partita import NMF, FastICA, preprocess
from partita.decomposition.registry import estimators

pytestmark = pytest.mark.filterwarnings(
    f"ignore::{ConvergenceWarning.__module__}.ConvergenceWarning"
)


def recording(n: int = 60) -> xr.DataArray:
    values = np.random.default_rng(0).gamma(2, 1, (n, 6, 5))
    coords = {"time": ("time", 0.5 * np.arange(n), {"units": "s"}), "y": range(6), "x": range(5)}
    return xr.DataArray(values, coords, ("time", "y", "x"), name="power")


def quick(**more: object) -> NMF:
    return NMF(2, random_state=0, max_iter=3, tol=0, **more)


COURSE = {
    "zscore": {}, "temporal_mean": {}, "tsnr": {}, "detrend": {}, "dvars": {}, "rectify": {},
    "delta_f_over_f": {"window": None}, "lowpass": {"cutoff": 0.3},
    "highpass": {"cutoff": 0.3}, "resample_time": {"step": 1.0},
}  # fmt: skip


@pytest.mark.parametrize("name", COURSE)
@pytest.mark.parametrize("chunks", [None, {"time": 20}])
def test_a_single_course_is_worked_on_as_that_of_a_voxel(name, chunks) -> None:
    course = recording()[:, 0, 0]
    given = course if chunks is None else course.chunk(chunks)
    step = getattr(preprocess, name)
    expected = step(course.expand_dims(voxel=1, axis=1), **COURSE[name])
    found = step(given, **COURSE[name])
    same = expected.squeeze("voxel") if "voxel" in expected.dims else expected
    np.testing.assert_allclose(found, same, rtol=1e-6)


@pytest.mark.parametrize("suffix", [".zarr", ".nc"])
def test_sessions_that_were_joined_of_uneven_chunks_are_saved(tmp_path, suffix) -> None:
    lazy = [recording(37).chunk(time=10), recording(23).chunk(time=7)]
    lazy = [one.assign_coords(taken=(("time", "y"), one.data[:, :, 0])) for one in lazy]
    joined = xr.concat(lazy, "time")
    partita.save(joined, tmp_path / f"a{suffix}")
    xr.testing.assert_identical(
        partita.load(tmp_path / f"a{suffix}", chunks=None), joined.compute()
    )
    partita.io.write_dataset(joined.to_dataset(), tmp_path / f"b{suffix}")


def test_sessions_may_be_named_by_pairs(tmp_path) -> None:
    named = {("mouse", 1): recording(), ("mouse", 2): recording() + 1}
    model = quick().fit_sessions(named, n_passes=1)
    assert model.signals_["session"].values[[0, -1]].tolist() == list(named)
    partita.save(model, tmp_path / "model.nc")
    again = partita.load_model(tmp_path / "model.nc")
    assert again.signals_["session"].values[[0, -1]].tolist() == list(named)
    of_one = again.signals_.set_xindex("session").sel(session=("mouse", 2))
    assert len(of_one) == 60
    assert list(dict(list(again.signals_.groupby("session")))) == list(named)


@pytest.mark.parametrize(
    ("name", "words"),
    [(frozenset([1]), "is of type frozenset"), (object(), "names of sessions that no file"),
     (np.nan, "whose name is missing"), (np.datetime64("NaT"), "whose name is missing")],
)  # fmt: skip
def test_sessions_whose_names_cannot_be_kept_or_found_are_refused_at_once(name, words) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        quick().fit_sessions({"a": recording(), name: recording()})


@pytest.mark.parametrize("suffix", [".nc", ".zarr", ".nii"])
@pytest.mark.parametrize("name", [3, ("a", "b"), "a/b", "", "..", "a\0b"])
def test_names_that_no_file_takes_are_refused(tmp_path, suffix, name) -> None:
    marked = recording().assign_coords({name: ("time", np.arange(60))})
    turned = recording().rename(x="a/b")
    for given in (marked, turned):
        with pytest.raises((TypeError, ValueError), match=r"Rename them: rename\("):
            partita.save(given, tmp_path / f"r{suffix}")
    if suffix != ".nii":
        with pytest.raises((TypeError, ValueError), match=r"Rename them: rename\("):
            partita.io.write_dataset(xr.Dataset({name: 1}), tmp_path / f"d{suffix}")
    assert not list(tmp_path.iterdir())


def test_text_that_netcdf_would_cut_is_refused(tmp_path) -> None:
    cut = recording().assign_coords(name=("time", ["a\0b"] * 60))
    with pytest.raises(ValueError, match=r"cannot hold the text of 'name'.*write \.zarr"):
        partita.save(cut, tmp_path / "r.nc")
    partita.save(cut, tmp_path / "r.zarr")
    assert partita.load(tmp_path / "r.zarr")["name"].values[0] == "a\0b"


def test_home_is_where_the_user_lives(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    model = quick().fit(recording(), checkpoint="~/fit.nc")
    for name in ("whole.nc", "prefix"):
        assert all(path.is_relative_to(tmp_path) for path in partita.save(model, f"~/{name}"))
    partita.save(recording(), "~/recording.nc")
    assert partita.load_model("~/whole.nc").maps_.identical(model.maps_)
    assert not (tmp_path / "~").exists()


@pytest.mark.slow
@pytest.mark.parametrize("kind", estimators().values(), ids=list(estimators()))
@pytest.mark.parametrize("form", ["coo", "gcxs", "dok"])
def test_sparse_arrays_of_any_form_are_fitted(kind, form) -> None:
    sparse = pytest.importorskip("sparse")
    dense = recording().where(lambda r: r > 1.5, 0)
    given = dense.copy(data=sparse.COO(dense.values).asformat(form))
    make = {"n_components": 2, "random_state": 0}
    found, expected = kind(**make).fit(given), kind(**make).fit(dense)
    np.testing.assert_allclose(found.maps_, expected.maps_, atol=1e-6)
    np.testing.assert_allclose(found.transform(given), expected.transform(dense), atol=1e-5)


@pytest.mark.parametrize("suffix", [".nc", ".zarr", ".nii"])
def test_a_sparse_recording_is_not_made_dense_in_silence(tmp_path, suffix) -> None:
    sparse = pytest.importorskip("sparse")
    given = recording().copy(data=sparse.COO(recording().values))
    with pytest.raises(TypeError, match="save needs a dense recording, and was given COO"):
        partita.save(given, tmp_path / f"a{suffix}")


DENSE = {
    **COURSE, "estimate_motion": {}, "register": {}, "smooth": {"fwhm": 1.0},
    "compcor": {"mask": None}, "regress_out": {"confounds": ["ramp"]},
    "intensity_mask": {}, "brain_mask": {},
    "split_sign": {}, "censor": {"frames": [1]}, "estimate_baseline": {}, "highpass": {"cutoff": 1},
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", DENSE)
@pytest.mark.parametrize("chunks", [None, {"time": 20}])
def test_sparse_arrays_are_refused_where_none_can_be_used(name, chunks) -> None:
    sparse = pytest.importorskip("sparse")
    large = recording().pad(y=(2, 2), x=(2, 2), mode="edge")
    given = large.copy(data=sparse.COO(large.values)).assign_coords(
        ramp=("time", np.arange(60.0)), y=range(10), x=range(9)
    )
    given = given if chunks is None else given.chunk(chunks)
    with pytest.raises(TypeError, match="needs a dense recording, and was given COO"):
        getattr(preprocess, name)(given, **DENSE[name])


@pytest.mark.parametrize("kind", estimators().values(), ids=list(estimators()))
def test_what_a_sparse_array_leaves_out_is_zero(kind) -> None:
    sparse = pytest.importorskip("sparse")
    given = recording().copy(data=sparse.COO(recording().values, fill_value=1.0))
    for one in (given, given.chunk(time=20)):
        with pytest.raises(ValueError, match=r"this one means 1\.0 there\. Make it dense first"):
            kind(2).fit(one)


@pytest.mark.skipif(np.dtype("g").itemsize == 8, reason="long numbers are no longer here")
def test_the_motion_of_long_numbers_is_that_of_double_ones() -> None:
    moving = partita.datasets.simulate_fusi(n_times=8, shape=(1, 24, 20), random_state=0).recording
    single, longer = moving.astype(float), moving.astype("g")
    found = preprocess.estimate_motion(longer)
    np.testing.assert_array_equal(found.affine, preprocess.estimate_motion(single).affine)
    still = preprocess.apply_motion(longer, found)
    np.testing.assert_allclose(still, preprocess.apply_motion(single, found), rtol=1e-12)


@pytest.mark.parametrize("step", [preprocess.estimate_motion, preprocess.register])
def test_a_single_course_has_no_motion(step) -> None:
    with pytest.raises(ValueError, match="at least one dimension beside 'time', such as y and x"):
        step(recording()[:, 0, 0])


@pytest.mark.filterwarnings("error:.*time zone.*", "error:.*timezone.*")
@pytest.mark.parametrize(
    "step",
    [lambda r: preprocess.lowpass(r, cutoff=0.3), preprocess.detrend,
     lambda r: preprocess.resample_time(r, step=1.0)],
)  # fmt: skip
def test_times_of_a_time_zone_are_refused_where_seconds_are_needed(step) -> None:
    zoned = pd.date_range("2000", periods=60, freq="s", tz="Europe/Paris")
    with pytest.raises(ValueError, match=r"'time' holds datetime64.*Assign times in seconds"):
        step(recording().assign_coords(time=zoned))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("zone", ["Europe/Paris", "UTC"])
def test_a_table_of_another_time_zone_belongs_to_the_same_times(zone) -> None:
    zoned = pd.date_range("2000", periods=60, freq="s", tz="Europe/Paris")
    table = pd.DataFrame({"a": np.sin(np.arange(60.0))}, index=zoned.tz_convert(zone))
    own = recording().assign_coords(time=zoned)
    found = preprocess.regress_out(own[5:40], table)
    bare = table.reset_index(drop=True)[5:40].reset_index(drop=True)
    expected = preprocess.regress_out(recording()[5:40], bare)
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("kind", estimators().values(), ids=list(estimators()))
def test_components_labelled_by_truth_values_are_found_by_label(kind) -> None:
    model = kind(2, random_state=0).fit(recording())
    named = model.signals_.assign_coords(component=[False, True])
    np.testing.assert_array_equal(model.inverse_transform(named), model.inverse_transform())


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", estimators().values(), ids=list(estimators()))
def test_a_recording_of_zeros_lets_no_warning_of_others_through(kind) -> None:
    model = kind(1, random_state=0).fit(0 * recording())
    assert not model.inverse_transform().any()


class Quantity(np.lib.mixins.NDArrayOperatorsMixin):
    """What packages of units wrap around arrays."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.dtype, self.shape = values, values.dtype, values.shape
        self.ndim, self.size = values.ndim, values.size

    def __array_ufunc__(self, *_: object, **__: object) -> object:
        return NotImplemented

    def __array_function__(self, *_: object, **__: object) -> object:
        return NotImplemented

    def __array__(self, *_: object, **__: object) -> np.ndarray:
        return self.values


@pytest.mark.parametrize("step", [quick().fit, preprocess.zscore, preprocess.detrend])
def test_arrays_of_other_packages_are_refused_with_the_remedy(step) -> None:
    given = xr.DataArray(Quantity(recording().values), dims=("time", "y", "x"))
    with pytest.raises(
        TypeError, match=r"was given Quantity.*pint\.dequantify\(\) keeps the units"
    ):
        step(given)


@pytest.mark.parametrize("name", ["zscore", "detrend", "rectify", "lowpass", "resample_time"])
def test_attributes_that_cannot_be_copied_travel_along(name) -> None:
    lock = threading.Lock()
    given = recording().assign_attrs(lock=lock)
    given["y"].attrs["lock"] = lock
    found = getattr(preprocess, name)(given, **COURSE[name])
    assert found.attrs["lock"] is lock
    found.attrs["new"] = found["y"].attrs["new"] = 1
    assert "new" not in given.attrs
    assert "new" not in given["y"].attrs


@pytest.mark.parametrize("dtype", [">f4", ">f8", ">i2"])
@pytest.mark.parametrize("baseline", ["minimum", "adaptive", "maximin", "percentile"])
@pytest.mark.parametrize("chunks", [None, {"time": 20}])
def test_the_order_of_bytes_changes_no_relative_change(dtype, baseline, chunks) -> None:
    native = (1000 + 100 * recording()).astype(np.dtype(dtype).newbyteorder("="))
    other = native.astype(dtype)
    other = other if chunks is None else other.chunk(chunks)
    how = {"baseline": baseline, "window": None}
    found = preprocess.delta_f_over_f(other, **how)
    np.testing.assert_allclose(found, preprocess.delta_f_over_f(native, **how), rtol=1e-5)


@pytest.mark.parametrize("kind", estimators().values(), ids=list(estimators()))
@pytest.mark.parametrize("chunks", [None, {"time": 20}])
def test_more_components_than_there_are_numbers_are_refused_at_once(kind, chunks) -> None:
    given = recording() if chunks is None else recording().chunk(chunks)
    started = time.monotonic()
    with pytest.raises(ValueError, match=r"1000000000 components of a recording of 60 samples"):
        kind(10**9).fit(given)
    assert time.monotonic() - started < 2
    if hasattr(kind, "fit_sessions"):
        with pytest.raises(ValueError, match="1000000000 components"):
            kind(10**9).fit_sessions([given, given])
        with pytest.raises(ValueError, match="1000000000 components"):
            kind(10**9).partial_fit(given)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
@pytest.mark.parametrize("name", ["pipe", "pipe.nii.gz", "pipe.tif", "pipe.nc"])
def test_pipes_and_devices_are_refused_at_once(tmp_path, name) -> None:
    pipe = tmp_path / name
    os.mkfifo(pipe)
    for reader in (partita.load, partita.load_model, partita.io.read_dataset):
        for path in (pipe, Path(os.devnull)):
            with pytest.raises(ValueError, match="is no file but a pipe or a device"):
                reader(path)
    for several in ([pipe], str(tmp_path / "pip*")):
        with pytest.raises(ValueError, match="is no file but a pipe or a device"):
            partita.load(several)


def test_a_model_in_one_file_writes_that_alone_whatever_its_name(tmp_path) -> None:
    model = quick().fit(recording())
    for name in ("run_desc-nmf.nc", "sub-01.v2.nc", "run_desc-nmf.zarr"):
        folder = tmp_path / f"of {name}"
        assert [path.name for path in partita.save(model, folder / name)] == [name]
        assert [path.name for path in folder.iterdir()] == [name]
    folder = tmp_path / "prefix"
    written = partita.save(model, folder / "run_desc-nmf")
    assert {path.name for path in folder.iterdir()} == {path.name for path in written}
    assert all(path.name.startswith("run_desc-nmf") for path in written)


NO_SENSE = {
    "weights that are a number": (lambda r: quick().fit(r, weights=3), "weights needs a labelled"),
    "weights of no sample": (lambda r: quick().fit(r, weights=r[:0]), "60 of 60 positions along"),
    "a callback that is none": (lambda r: quick().fit(r, callback=3), "callback is called with a"),
    "a checkpoint that is none": (lambda r: quick().fit(r, checkpoint=3), "needs a path"),
    "a model to no path": (lambda r: partita.save(quick().fit(r), None), "save needs a path"),
    "a recording to no path": (lambda r: partita.save(r, 3), "save needs a path"),
    "a model from no path": (lambda r: partita.load_model(3), "needs a path"),
    "a rotation without an end": (
        lambda r: FastICA(2, tol=np.inf).fit(r), "tol is a non-negative number, and was given inf",
    ),
    "an interpolation in a list": (
        lambda r: preprocess.resample_time(r, step=1, interpolation=["cubic"]),
        "interpolation must be 'cubic'",
    ),
    "transform before fit": (lambda r: quick().transform(r), r"not fitted yet\. Fit it first"),
    "save before fit": (lambda r: partita.save(quick(), "x.nc"), r"not fitted yet\. Fit it first"),
}  # fmt: skip


@pytest.mark.parametrize(("call", "words"), NO_SENSE.values(), ids=NO_SENSE)
def test_what_makes_no_sense_is_refused_in_words_of_ours(call, words) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        call(recording())


def test_chunks_that_make_no_sense_are_refused_in_words_of_ours(tmp_path) -> None:
    partita.save(recording(), tmp_path / "r.nc")
    with pytest.raises(TypeError, match="chunks gives each dimension a number"):
        partita.load(tmp_path / "r.nc", chunks={"time": "a"})
