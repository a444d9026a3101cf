"""The laws that every estimator keeps, whatever it factorises by."""

from __future__ import annotations

import pickle
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import partita
from partita._solvers.matrices import partition
from partita.decomposition import out_of_core
from partita.decomposition.registry import estimators


def correlations(left: xr.DataArray, right: xr.DataArray) -> np.ndarray:
    """Correlate components one to one, in their order."""
    dims = [dim for dim in left.dims if dim != "component"]
    return xr.corr(left, right, dim=dims).values


def test_the_input_is_untouched(make, recording) -> None:
    before = recording.copy(deep=True)
    model = make().fit(recording)
    model.transform(recording)
    model.inverse_transform()
    xr.testing.assert_identical(recording, before)


def test_parameters_survive_clone_and_set(make) -> None:
    model = make(n_components=4)
    again = clone(model)
    assert again.get_params() == model.get_params()
    assert again.set_params(n_components=2).n_components == 2
    assert model.n_components == 4


def test_a_mask_survives_clone(make, recording) -> None:
    mask = recording["y"] > 0.04
    xr.testing.assert_identical(clone(make(mask=mask)).mask, mask)


def test_representations_are_short_and_readable(make, recording) -> None:
    model = make(mask=recording["y"] > 0.04)
    assert len(repr(model)) < 500
    assert type(model).__name__ in repr(model)
    assert type(model).__name__ in model.fit(recording)._repr_html_()


def test_a_pickled_model_transforms_alike(fitted, recording) -> None:
    again = pickle.loads(pickle.dumps(fitted))
    xr.testing.assert_identical(again.transform(recording), fitted.transform(recording))


def test_a_pipeline_ends_in_signals(make, recording) -> None:
    pipeline = make_pipeline(FunctionTransformer(partita.preprocess.rectify), make())
    signals = pipeline.fit_transform(recording)
    assert signals.dims == ("time", "component")
    assert isinstance(pipeline.transform(recording), xr.DataArray)


def test_maps_and_signals_carry_every_coordinate(fitted, recording) -> None:
    assert fitted.maps_.dims == ("component", "z", "y", "x")
    assert fitted.signals_.dims == ("time", "component")
    for name in ("z", "y", "x", "area", "grid", "subject"):
        xr.testing.assert_identical(
            fitted.maps_[name].variable.to_base_variable(),
            recording[name].variable.to_base_variable(),
        )
    for name in ("time", "run", "grid", "subject"):
        xr.testing.assert_identical(
            fitted.signals_[name].variable.to_base_variable(),
            recording[name].variable.to_base_variable(),
        )
    assert "slice_time" not in fitted.maps_.coords
    assert "slice_time" not in fitted.signals_.coords
    assert fitted.maps_["component"].values.tolist() == [0, 1, 2]


def test_units_and_provenance_are_kept(fitted) -> None:
    assert fitted.maps_.attrs["units"] == "1"
    assert fitted.signals_.attrs["units"] == "a.u."
    lines = fitted.signals_.attrs["history"].split("\n")
    assert lines[0] == "simulate()"
    assert lines[1].startswith(f"{type(fitted).__name__}(")
    assert fitted.maps_.attrs["history"] == fitted.signals_.attrs["history"]


def test_fit_transform_equals_the_fitted_signals(make, recording) -> None:
    model = make()
    xr.testing.assert_identical(model.fit_transform(recording), model.signals_)


def test_transform_of_the_recording_equals_the_fitted_signals(fitted, recording) -> None:
    again = fitted.transform(recording)
    scale = float(np.abs(fitted.signals_).max())
    np.testing.assert_allclose(again, fitted.signals_, atol=1e-3 * scale)
    assert set(again.coords) == set(fitted.signals_.coords)


def test_maps_have_unit_norm_and_come_by_energy(fitted, recording) -> None:
    norms = np.sqrt((fitted.maps_**2).sum(["z", "y", "x"]))
    np.testing.assert_allclose(norms, 1, rtol=1e-5)
    assert (np.diff(fitted.energy_) <= 0).all()
    energies = (fitted.signals_**2).sum("time") / (recording.astype(float) ** 2).sum()
    np.testing.assert_allclose(fitted.energy_, energies, rtol=1e-3)


def test_inverse_transform_rebuilds_with_the_error_stated(fitted, recording) -> None:
    rebuilt = fitted.inverse_transform(fitted.signals_)
    error = float(np.sqrt(((recording.astype(float) - rebuilt) ** 2).sum()))
    assert error == pytest.approx(fitted.reconstruction_err_, rel=1e-3)
    assert rebuilt.dims == recording.dims
    assert rebuilt.name == "power"
    assert rebuilt.attrs["units"] == "a.u."
    assert set(rebuilt.coords) == set(recording.coords)
    assert error < 0.1 * float(np.sqrt((recording.astype(float) ** 2).sum()))


def test_what_is_explained_is_what_the_rebuilt_recording_leaves_over(fitted, recording) -> None:
    exact = recording.astype(float)
    left = float(((exact - fitted.inverse_transform()) ** 2).sum())
    varies = float(((exact - exact.mean("time")) ** 2).sum())
    explained = fitted.explained_
    assert list(explained.data_vars) == ["r2", "vaf"]
    assert float(explained["r2"]) == pytest.approx(1 - left / varies, abs=1e-4)
    assert float(explained["vaf"]) == pytest.approx(1 - left / float((exact**2).sum()), abs=1e-4)
    assert explained["r2"].attrs["units"] == "1"


def test_shares_read_part_by_part_are_those_in_memory(make_streaming, recording, monkeypatch):
    whole = make_streaming().fit(recording)
    monkeypatch.setattr(out_of_core, "KEPT_BYTES", 0)
    for chunks in ({"time": 20}, {"y": 2, "x": 3}):
        parts = make_streaming().fit(recording.chunk(chunks))
        for share in ("r2", "vaf"):
            assert float(parts.explained_[share]) == pytest.approx(
                float(whole.explained_[share]), abs=1e-3
            )


def test_inverse_transform_takes_components_by_label_in_any_order(fitted) -> None:
    turned = fitted.signals_.isel(component=[2, 0, 1]).transpose()
    xr.testing.assert_allclose(
        fitted.inverse_transform(turned), fitted.inverse_transform(), rtol=1e-4
    )


def test_inverse_transform_of_some_components_rebuilds_those_alone(fitted) -> None:
    parts = [fitted.inverse_transform(fitted.signals_.sel(component=[label])) for label in range(3)]
    nothing = fitted.inverse_transform(fitted.signals_ * 0)
    total = sum(part.astype(float) - nothing for part in parts) + nothing
    np.testing.assert_allclose(total, fitted.inverse_transform(), atol=1e-3)


def test_inverse_transform_at_new_times_drops_what_belongs_to_the_old(fitted, recording) -> None:
    later = recording.isel(time=slice(10)).assign_coords(time=np.arange(10) + 100.0)
    rebuilt = fitted.inverse_transform(fitted.transform(later))
    np.testing.assert_array_equal(rebuilt["time"], later["time"])
    assert "slice_time" not in rebuilt.coords


def test_what_is_rebuilt_for_another_recording_does_not_pass_for_the_first(make, recording) -> None:
    model = make().fit(recording.assign_attrs(animal="A", units="a.u."))
    other = recording.copy().assign_coords(subject="S2", day=3)
    other.attrs = {"units": "V", "history": "load()"}
    rebuilt = model.inverse_transform(model.transform(other))
    assert (str(rebuilt["subject"].values), int(rebuilt["day"])) == ("S2", 3)
    assert "slice_time" not in rebuilt.coords
    assert "animal" not in rebuilt.attrs
    assert rebuilt.attrs["units"] == "V"
    assert rebuilt.attrs["history"].startswith("load()\n")
    xr.testing.assert_identical(rebuilt["grid"].variable, recording["grid"].variable)
    unnamed = model.inverse_transform(model.transform(other.drop_vars("subject")[:20]))
    assert "subject" not in unnamed.coords


REFUSED = {
    "too few samples": lambda r: r[:1],
    "nothing": lambda r: r.where(False),
    "isolated NaN": lambda r: r.where(r.coords["time"] != r.coords["time"][3]).fillna(np.inf),
    "other places": lambda r: r.assign_coords(y=r["y"].values + 7),
    "no samples": lambda r: r.rename(time="t"),
    "taken names": lambda r: r.rename(y="component"),
    "no numbers": lambda r: r.astype(str),
    "another head": lambda r: r.assign_coords(grid=((), 0, {"affine": np.eye(4)[::-1].ravel()})),
}


@pytest.mark.parametrize("bad", REFUSED.values(), ids=REFUSED)
def test_a_refused_fit_leaves_the_model_as_it_was(make, recording, bad) -> None:
    model = make(mask=recording["y"] > 0.04).fit(recording)
    before, rebuilt = dict(vars(model)), model.inverse_transform().copy(deep=True)
    refused = bad(recording)
    for method in ("fit", "partial_fit"):
        if hasattr(model, method):
            with pytest.raises((ValueError, TypeError)):
                getattr(model, method)(refused)
    after = vars(model)
    assert after.keys() == before.keys()
    assert all(after[name] is before[name] for name in before)
    xr.testing.assert_identical(model.inverse_transform(), rebuilt)


def test_a_recording_without_any_value_has_no_signals(make, recording) -> None:
    model = make().fit(recording)
    for empty in (recording.where(False), recording.where(False).chunk(time=20)):
        with pytest.raises(ValueError, match="NaN at all times: nothing is left to work on"):
            model.transform(empty)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda s: s.values, TypeError, "was given ndarray"),
        (lambda s: s.sel(component=0), ValueError, "Select with a list"),
        (lambda s: s.drop_vars("component"), ValueError, "their component labels"),
        (
            lambda s: s.assign_coords(component=[0, 1, 9]),
            ValueError,
            "does not know the components \\[9\\]; fitted: \\[0, 1, 2\\]",
        ),
        (
            lambda s: s.sel(component=[0, 1, 0]),
            ValueError,
            "names a component twice: \\[0\\] is there more than once",
        ),
    ],
)
def test_signals_without_meaning_are_refused(fitted, change, error, message) -> None:
    with pytest.raises(error, match=message):
        fitted.inverse_transform(change(fitted.signals_))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_dtype_is_kept(make, recording, dtype: str) -> None:
    model = make().fit(recording.astype(dtype))
    assert model.maps_.dtype == model.signals_.dtype == dtype
    assert model.transform(recording.astype(dtype)).dtype == dtype
    assert model.inverse_transform().dtype == dtype


@pytest.mark.parametrize(("dtype", "promoted"), [("int16", "float32"), ("int64", "float64")])
def test_integers_are_promoted_once(make, recording, dtype: str, promoted: str) -> None:
    model = make().fit((recording * 20).astype(dtype))
    assert model.maps_.dtype == promoted


@pytest.mark.parametrize("dims", [("x", "time", "z", "y"), ("y", "z", "x", "time")])
def test_any_order_of_dimensions_gives_the_same_answer(make, fitted, recording, dims) -> None:
    straight, turned = fitted, make().fit(recording.transpose(*dims))
    assert turned.reconstruction_err_ == pytest.approx(straight.reconstruction_err_, rel=1e-4)
    turned_maps = turned.maps_.transpose(*straight.maps_.dims)
    assert (correlations(straight.maps_, turned_maps) > 0.999).all()
    assert (correlations(straight.signals_, turned.signals_) > 0.999).all()
    assert turned.inverse_transform().dims == dims


@pytest.mark.parametrize("chunks", [{"time": 7}, {"time": 16, "x": 2}, {"y": 1}])
def test_any_chunking_gives_the_same_answer(make, fitted, recording, chunks) -> None:
    whole, chunked = fitted, make().fit(recording.chunk(chunks))
    assert chunked.reconstruction_err_ == pytest.approx(whole.reconstruction_err_, rel=1e-4)
    assert (correlations(whole.maps_, chunked.maps_) > 0.999).all()
    signals = whole.transform(recording.chunk(chunks))
    np.testing.assert_allclose(signals, whole.signals_, atol=1e-3 * float(whole.signals_.max()))


def test_the_same_seed_gives_identical_results(make, fitted, recording) -> None:
    one, two = fitted, make().fit(recording)
    xr.testing.assert_identical(one.maps_, two.maps_)
    xr.testing.assert_identical(one.signals_, two.signals_)


@pytest.mark.parametrize("scale", [1e-3, 1e8])
def test_the_scale_of_a_recording_changes_no_part(make, fitted, recording, scale: float) -> None:
    plain, scaled = fitted, make().fit(recording * np.float32(scale))
    assert (correlations(plain.maps_, scaled.maps_) > 0.999).all()
    ratio = scaled.reconstruction_err_ / plain.reconstruction_err_
    assert ratio == pytest.approx(scale, rel=1e-3)


def test_outside_the_mask_is_nan_and_inside_alone_decides(make, recording) -> None:
    mask = (recording["area"] % 4 != 0) & (recording["z"] > 0)
    wild = recording.where(mask, 1e3).astype("float32")
    model, other = make(mask=mask).fit(recording), make(mask=mask).fit(wild)
    outside = ~mask.transpose("z", "y", "x").values
    np.testing.assert_array_equal(model.maps_.isnull().all("component"), outside)
    xr.testing.assert_allclose(model.maps_, other.maps_)
    rebuilt = model.inverse_transform().isnull()
    np.testing.assert_array_equal(rebuilt, np.broadcast_to(outside, rebuilt.shape))


def test_a_voxel_that_is_nan_at_all_times_is_outside(make, recording) -> None:
    recording[:, 0, 2, 3] = np.nan
    model = make().fit(recording)
    assert model.maps_.isnull().sum() == 3
    assert model.maps_.isel(z=0, y=2, x=3).isnull().all()
    np.testing.assert_allclose(
        model.transform(recording), model.signals_, atol=1e-3 * float(model.signals_.max())
    )


def test_a_voxel_missing_from_new_data_is_passed_over(fitted, recording) -> None:
    holed = recording.copy()
    holed[:, 1, 3, 2] = np.nan
    signals = fitted.transform(holed)
    assert np.isfinite(signals).all()
    assert (correlations(signals, fitted.signals_) > 0.99).all()


def test_transform_matches_a_permuted_grid_by_label(fitted, recording) -> None:
    turned = recording.isel(x=[3, 1, 0, 4, 2]).transpose("y", "time", "x", "z")
    np.testing.assert_allclose(
        fitted.transform(turned), fitted.signals_, atol=1e-3 * float(fitted.signals_.max())
    )


def test_transform_refuses_a_shifted_grid(fitted, recording) -> None:
    with pytest.raises(ValueError, match=r"lies on another grid: .* along 'y'"):
        fitted.transform(recording.assign_coords(y=recording["y"] + 0.02))


def test_transform_carries_the_new_times(fitted, recording) -> None:
    later = recording.isel(time=slice(5)).assign_coords(
        time=np.arange(5) + 50.0, run=("time", list("ccccc"))
    )
    signals = fitted.transform(later)
    assert signals["time"].values.tolist() == [50, 51, 52, 53, 54]
    assert signals["run"].values.tolist() == list("ccccc")


def test_repeated_and_falling_times_are_accepted(make, recording) -> None:
    runs = recording.assign_coords(time=np.tile(np.arange(30) * 0.4, 2))
    model = make().fit(runs)
    np.testing.assert_array_equal(model.signals_["time"], runs["time"])


@pytest.mark.parametrize("name", ["time", "epoch"])
def test_another_sample_dimension_is_named(make, recording, name: str) -> None:
    renamed = recording.rename(time=name)
    model = make(sample_dim=name).fit(renamed)
    assert model.signals_.dims == (name, "component")


def test_anything_with_samples_is_a_recording(make) -> None:
    rng = np.random.default_rng(0)
    table = xr.DataArray(
        rng.random((40, 8)), dims=("time", "muscle"), coords={"muscle": [f"m{i}" for i in range(8)]}
    )
    model = make().fit(table)
    assert model.maps_.dims == ("component", "muscle")
    assert model.maps_["muscle"].values.tolist() == table["muscle"].values.tolist()


def test_features_are_counted_and_named_as_in_scikit_learn(make_each, taken_to_a_file) -> None:
    rng = np.random.default_rng(0)
    names = [f"m{i}" for i in range(8)]
    table = xr.DataArray(rng.random((40, 8)), dims=("time", "muscle"), coords={"muscle": names})
    inside = xr.DataArray(np.arange(8) > 1, dims="muscle", coords={"muscle": names})
    model = make_each(mask=inside).fit(table)
    for one in (model, taken_to_a_file(model)):
        assert one.n_features_in_ == len(one.feature_names_in_) == 8
        assert one.feature_names_in_.dtype == object
        assert one.feature_names_in_.tolist() == names
    grid = xr.DataArray(rng.random((40, 2, 3)), dims=("time", "muscle", "x"))
    model.set_params(mask=None).fit(grid.assign_coords(muscle=["a", "b"]))
    assert model.n_features_in_ == 6
    assert not hasattr(model, "feature_names_in_"), "of the fit before, or of half a place"
    assert not hasattr(make_each().fit(table.drop_vars("muscle")), "feature_names_in_")
    assert not hasattr(make_each().fit(table.assign_coords(muscle=range(8))), "feature_names_in_")


def assert_same_model(again, model) -> None:
    """Assert that two models have the same parameters and the same fitted attributes."""
    assert type(again) is type(model)
    fitted = {name for name in vars(model) if name.endswith("_")}
    assert {name for name in vars(again) if name.endswith("_")} == fitted
    for name in fitted:
        ours, theirs = getattr(model, name), getattr(again, name)
        if isinstance(ours, xr.DataArray | xr.Dataset):
            xr.testing.assert_identical(theirs, ours)
        elif name == "fit_report_":
            assert theirs == {key: value for key, value in ours.items() if key != "seconds"}
        elif isinstance(ours, np.ndarray):
            assert theirs.dtype == ours.dtype
            np.testing.assert_array_equal(theirs, ours, strict=True)
        else:
            assert theirs == ours, name
    parameters = model.get_params()
    for name, value in again.get_params().items():
        if isinstance(value, xr.DataArray):
            xr.testing.assert_identical(value, parameters[name])
        else:
            assert value == parameters[name], name


def test_a_saved_model_comes_back_identical(make, recording, tmp_path) -> None:
    mask = (recording["area"] % 4 != 0).assign_attrs(made_by={"threshold": (0.5, None)})
    model = make(mask=mask).fit(recording)
    partita.save(model, tmp_path / "model.nc")
    again = partita.load_model(tmp_path / "model.nc")
    assert_same_model(again, model)
    xr.testing.assert_identical(again.transform(recording), model.transform(recording))
    xr.testing.assert_identical(again.inverse_transform(), model.inverse_transform())


def test_what_a_fit_leaves_is_what_its_class_remembers(fitted) -> None:
    names = {name for name in vars(fitted) if name.endswith("_")}
    assert {"maps_", "reconstruction_err_"} <= names <= set(fitted.remembers)


NAMES = (
    "maps", "signals", "energy", "losses", "inside", "iteration", "factor", "component", "offset",
    "maps_", "mean", "recipe", "parameters", "stacker", "values", "sample", "session", "a/b c", "",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("turn", range(4))
def test_coordinates_of_any_name_change_nothing(
    make_each, recording, taken_to_a_file, turn: int
) -> None:
    small = recording.isel(z=[0], time=slice(20))
    over = [(), ("time",), ("y",), ("time", "y")]
    named = small
    for place, name in enumerate(NAMES):
        dims = over[(place + turn) % 4]
        shape = [small.sizes[dim] for dim in dims]
        named = named.assign_coords({name: (dims, np.arange(np.prod(shape)).reshape(shape))})
    model = make_each(n_components=2).fit(named)
    again = taken_to_a_file(model)
    assert_same_model(again, model)
    rebuilt = again.inverse_transform()
    xr.testing.assert_identical(rebuilt, model.inverse_transform())
    assert rebuilt.coords.to_dataset().identical(named.coords.to_dataset())
    plain = make_each(n_components=2).fit(small).inverse_transform()
    xr.testing.assert_equal(rebuilt.drop_vars(NAMES), plain)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, len(NAMES), 3))
def test_dimensions_of_any_name_are_kept_or_refused_before_the_fit(
    make_each, recording, taken_to_a_file, first: int
) -> None:
    time, y, x = (NAMES * 2)[first : first + 3]
    named = recording.isel(z=0, time=slice(20)).drop_vars(["slice_time", "area"])
    named = named.rename(time=time, y=y, x=x)
    model = make_each(n_components=2, sample_dim=time)
    taken = [n for n in (time, y, x) if n in model.map_dims]
    taken += [n for n in (time,) if n in model.signal_coords]
    if taken:
        with pytest.raises(ValueError, match=rf"a dimension of that name.*rename\({taken[0]}="):
            model.fit(named)
        return
    model.fit(named)
    again = taken_to_a_file(model)
    assert_same_model(again, model)
    xr.testing.assert_identical(again.transform(named), model.transform(named))
    assert again.inverse_transform().dims == named.dims


ZEROS = ["a\0b", "", "c\0", "\0d", "é", "f"]  # which end a text in NetCDF
LABELS = {
    "categorical": pd.Categorical(list("abcabc")),
    "nullable": pd.array([1, None, 3, 4, 5, 6], dtype="Int64"),
    "intervals": pd.interval_range(0, 6),
    "text": np.array(list("abcdef")),
    "text with zeros": np.array(["a\0b", "", "c", "\0d", "é", "f"]),
    "objects with zeros": np.array(["a\0b", "", "c\0", "d", "é", "f"], object),
    "variable text with zeros": np.array(
        ["a\0b", "", "c\0", "d", "é", "f"], np.dtypes.StringDType()
    ),
    "variable text": np.array(list("abcdef"), np.dtypes.StringDType()),
    "mixed": np.array([None, 1, "a", (1, 2), 2.5, True], object),
    "datetimes": pd.date_range("2020-01-01", periods=6).values,
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_any_kind_are_kept(make_each, recording, taken_to_a_file, kind: str) -> None:
    labelled = recording.drop_vars(["area", "y"]).assign_coords(y=LABELS[kind])
    labelled = labelled.assign_coords(region=("y", LABELS[kind]), frame=("time", np.arange(60)))
    labelled.attrs["labels"] = LABELS[kind]
    model = make_each(n_components=2).fit(labelled)
    again = taken_to_a_file(model)
    assert_same_model(again, model)
    for name in ("y", "region"):
        assert type(again.maps_[name].variable.data) is type(labelled[name].variable.data)
    xr.testing.assert_identical(again.transform(labelled), model.transform(labelled))


def test_stacked_dimensions_are_kept(make_each, recording, taken_to_a_file) -> None:
    stacked = recording.drop_vars(["area", "slice_time"]).stack(voxel=("z", "y", "x"))
    model = make_each().fit(stacked)
    again = taken_to_a_file(model)
    assert_same_model(again, model)
    assert again.maps_.unstack("voxel").sizes == {"component": 3, "z": 2, "y": 6, "x": 5}
    xr.testing.assert_identical(again.transform(stacked), model.transform(stacked))
    rebuilt = again.inverse_transform().unstack("voxel")
    assert rebuilt.sizes == recording.sizes


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda r: r.assign_attrs(scanner=object()), r"\.attrs\['scanner'\] is of type object"),
        (
            lambda r: r.assign_coords(y=pd.period_range("2000", periods=6, freq="M")),
            "coordinate 'y' is an array of period",
        ),
        (lambda r: r.assign_coords({7: 1}), r"named by text, and was given \[7\]"),
    ],
)
def test_what_no_file_holds_is_refused_before_the_fit(make_each, recording, change, words) -> None:
    model = make_each()
    with pytest.raises(TypeError, match=words):
        model.fit(change(recording))
    assert not hasattr(model, "maps_")


def test_a_fit_forgets_the_one_before(make, recording) -> None:
    small = recording.isel(z=[0], time=slice(20))
    for mode in make.kind.modes or (None,):
        model = make().fit(recording)
        if mode is not None:
            model.set_params(mode=mode)
        fresh = clone(model).fit(small)
        model.fit(small)
        assert set(vars(model)) == set(vars(fresh))
        xr.testing.assert_identical(model.inverse_transform(), fresh.inverse_transform())


def test_a_fit_that_is_refused_leaves_the_one_before(make, recording) -> None:
    model = make().fit(recording)
    before = dict(vars(model))
    with pytest.raises(ValueError, match="NaN at all times"):
        model.fit(recording * np.nan)
    assert vars(model) == before


def test_random_numbers_come_from_any_state(make, recording) -> None:
    if "random_state" not in make().get_params():
        pytest.skip("uses no random numbers")
    states = (np.random.default_rng, np.random.RandomState, int)
    for state in states:
        one, two = (make(random_state=state(4)).fit(recording) for _ in range(2))
        xr.testing.assert_identical(one.maps_, two.maps_)
        assert one.maps_.attrs["history"] == two.maps_.attrs["history"]
    with pytest.raises(ValueError, match=r"numpy.random.Generator or a RandomState, and was given"):
        make(random_state="seven").fit(recording)


def test_big_endian_single_precision_is_worked_on_as_such(make, recording) -> None:
    swapped = recording.astype(">f4")
    model = make().fit(swapped)
    assert model.maps_.dtype == model.signals_.dtype == np.float32
    xr.testing.assert_identical(model.maps_.variable, make().fit(recording).maps_.variable)
    assert model.transform(swapped).dtype == np.float32


def test_memory_is_estimated(make, recording) -> None:
    estimate = partita.estimate_memory(recording, make())
    assert estimate.total > estimate.input >= recording.nbytes


def test_every_estimator_is_public_and_in_the_reference() -> None:
    names = set(estimators())
    assert names <= set(partita.__all__)
    assert names <= set(partita.decomposition.__all__)
    assert all(getattr(partita, name) is kind for name, kind in estimators().items())


def test_weights_of_a_constant_change_nothing(make_weighted, recording) -> None:
    ones = xr.ones_like(recording)
    plain = make_weighted().fit(recording)
    scale = 1e-3 * float(plain.signals_.max())
    for weights in (ones, ones * 7, ones["time"] * 0 + 7):
        np.testing.assert_allclose(
            plain.transform(recording, weights=weights), plain.signals_, atol=scale
        )


def test_what_has_no_weight_plays_no_part_in_new_signals(make_weighted, recording) -> None:
    model = make_weighted().fit(recording)
    holed = recording.where(recording["x"] < -0.05, drop=False).where(recording["time"] > 3)
    known = recording.where(recording["x"] < -0.05)
    weights = holed.notnull()
    signals = model.transform(holed, weights=weights)
    late = signals.sel(time=slice(3.01, None))
    expected = model.transform(known).sel(time=late["time"])
    np.testing.assert_allclose(late, expected, atol=1e-3 * float(expected.max()))
    assert (signals.sel(time=slice(None, 3)) == 0).all()
    over_space = (recording["x"] < -0.05).astype(float)
    np.testing.assert_allclose(
        model.transform(recording.fillna(0), weights=over_space),
        model.transform(known),
        atol=1e-3 * float(expected.max()),
    )


def test_weights_that_have_no_meaning_are_refused(
    make_weighted, make_unweighted, recording
) -> None:
    with pytest.raises(ValueError, match="weights must be non-negative"):
        make_weighted().fit(recording).transform(recording, weights=recording * 0 - 1)
    with pytest.raises(ValueError, match="transform takes no weights"):
        make_unweighted().fit(recording).transform(recording, weights=recording["time"])


@pytest.fixture
def streaming(monkeypatch) -> None:
    """Stream every lazy recording, in small parts."""
    monkeypatch.setattr(out_of_core, "KEPT_BYTES", 0)
    monkeypatch.setattr(partition, "PART_BYTES", 5_000)


@pytest.mark.slow
@pytest.mark.usefixtures("streaming")
def test_a_streamed_model_is_lazy_again_when_it_is_loaded(
    make_streaming, recording, tmp_path
) -> None:
    model = make_streaming().fit(recording.chunk(time=10))
    partita.save(model, tmp_path / "model.nc")
    again = partita.load_model(tmp_path / "model.nc")
    rebuilt = again.inverse_transform()
    assert rebuilt.chunks is not None
    xr.testing.assert_allclose(rebuilt.compute(), model.inverse_transform().compute())


@pytest.mark.usefixtures("streaming")
@pytest.mark.parametrize("chunks", [{"time": 7}, {"y": 2}])
def test_transform_reads_a_lazy_recording_part_by_part(make_streaming, recording, chunks) -> None:
    model = make_streaming().fit(recording)
    sizes: list[int] = []

    def look(block: np.ndarray) -> np.ndarray:
        sizes.append(block.size)
        return block

    lazy = recording.chunk(chunks)
    lazy = lazy.copy(data=lazy.data.map_blocks(look, dtype=lazy.dtype, meta=np.empty((0,) * 4)))
    sizes.clear()
    signals = model.transform(lazy)
    assert len(sizes) == 2 * np.prod(lazy.data.numblocks)
    xr.testing.assert_allclose(
        signals, model.transform(recording), atol=1e-3 * float(model.signals_.max())
    )


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda r: r.values, TypeError, "was given ndarray"),
        (lambda r: r.to_dataset(name="a"), TypeError, "Choose one"),
        (lambda r: r.rename(time="frame"), ValueError, "sample dimension 'time'"),
        (lambda r: r.isel(time=[0]), ValueError, "at least two samples"),
        (lambda r: r.isel(x=0, y=0, z=0), ValueError, "at least one dimension beside"),
        (lambda r: r.astype(object), TypeError, "object"),
        (lambda r: r.astype(complex), TypeError, "complex128"),
        (lambda r: r.astype("float16"), TypeError, "float16"),
        (lambda r: r > 0, TypeError, "bool"),
        (lambda r: r * np.nan, ValueError, "NaN at all times: nothing is left"),
    ],
)
def test_what_cannot_be_used_is_refused(make, recording, change, error, message: str) -> None:
    with pytest.raises(error, match=message):
        make().fit(change(recording))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_isolated_holes_are_refused_with_their_place(make, recording, bad: float) -> None:
    recording[4, 1, 2, 3] = bad
    with pytest.raises(
        ValueError, match=r"1 of 60 x 60 .*time 2.6, z 1.4, y 0.1, x -0.3.*isfinite"
    ):
        make().fit(recording)
    fitted = make().fit(recording.isel(time=slice(10, None)))
    with pytest.raises(ValueError, match="transform cannot use NaN or infinite values"):
        fitted.transform(recording)


def test_an_empty_mask_is_refused(make, recording) -> None:
    with pytest.raises(ValueError, match="mask is empty"):
        make(mask=recording["y"] > 10).fit(recording)


def test_a_mask_on_other_coordinates_is_refused(make, recording) -> None:
    mask = (recording["y"] > 0.1).assign_coords(y=recording["y"] + 1)
    with pytest.raises(ValueError, match="mask lies on another grid"):
        make(mask=mask).fit(recording)


@pytest.mark.parametrize("n_components", [0, -1, 2.0, True, "3", None])
def test_a_number_of_components_without_meaning_is_refused(make, recording, n_components) -> None:
    with pytest.raises(ValueError, match="n_components must be a whole number"):
        make(n_components=n_components).fit(recording)


def test_an_unknown_mode_is_refused(make_moded, recording) -> None:
    with pytest.raises(ValueError, match="mode is 'temporal' or 'spatial', and was given 'both'"):
        make_moded(mode="both").fit(recording)


def test_constant_and_duplicate_voxels_are_no_trouble(make, recording) -> None:
    recording[:, 0, 0, 0] = 3.0
    recording[:, 0, 0, 1] = recording[:, 0, 0, 2]
    recording[:, 0, 0, 3] = 0.0
    model = make().fit(recording)
    assert np.isfinite(model.maps_).all()
    assert np.isfinite(model.signals_).all()


def test_what_is_said_to_be_non_negative_is(make, recording) -> None:
    model = make().fit(recording)
    promised = model.non_negative
    assert ("maps" not in promised) or (model.maps_ >= 0).all()
    turned = recording.isel(time=slice(None, None, -1)) + 0.5
    for signals in (model.signals_, model.transform(turned)):
        assert ("signals" not in promised) or (signals >= 0).all()
    if "recording" in promised:
        with pytest.raises(ValueError, match="non-negative data"):
            make().fit(recording - 1)
    else:
        assert np.isfinite(make().fit(recording - 1).maps_).all()


def test_an_iterative_fit_says_how_it_went(make_iterative, recording) -> None:
    model = make_iterative().fit(recording)
    assert model.n_iter_ >= 1
    assert model.converged_ is True


def test_a_fit_that_stops_early_warns_once_with_the_remedy(make_iterative, recording) -> None:
    with pytest.warns(ConvergenceWarning, match="stopped after 1 iterations.*max_iter") as caught:
        model = make_iterative(max_iter=1, tol=1e-12).fit(recording)
    assert len(caught) == 1
    assert model.converged_ is False


def test_no_fit_touches_the_filters_of_warnings_that_all_threads_share(
    make, recording, monkeypatch
) -> None:
    class Refused(warnings.catch_warnings):
        def __init__(self, **how) -> None:
            caller = sys._getframe(1).f_globals["__name__"]
            assert not caller.startswith("partita"), f"{caller} changes the filters of all threads"
            super().__init__(**how)

    filters = list(warnings.filters)
    monkeypatch.setattr(warnings, "catch_warnings", Refused)
    model = make().fit(recording)
    model.inverse_transform(model.transform(recording))
    assert warnings.filters == filters
