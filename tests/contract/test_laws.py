"""The laws that every estimator keeps, whatever it factorises by."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import xarray as xr
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import partita


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


def test_a_pickled_model_transforms_alike(make, recording) -> None:
    model = make().fit(recording)
    again = pickle.loads(pickle.dumps(model))
    xr.testing.assert_identical(again.transform(recording), model.transform(recording))


def test_a_pipeline_ends_in_signals(make, recording) -> None:
    pipeline = make_pipeline(FunctionTransformer(partita.preprocess.rectify), make())
    signals = pipeline.fit_transform(recording)
    assert signals.dims == ("time", "component")
    assert isinstance(pipeline.transform(recording), xr.DataArray)


def test_maps_and_signals_carry_every_coordinate(make, recording) -> None:
    model = make().fit(recording)
    assert model.maps_.dims == ("component", "z", "y", "x")
    assert model.signals_.dims == ("time", "component")
    for name in ("z", "y", "x", "area", "grid", "subject"):
        xr.testing.assert_identical(
            model.maps_[name].variable.to_base_variable(),
            recording[name].variable.to_base_variable(),
        )
    for name in ("time", "run", "grid", "subject"):
        xr.testing.assert_identical(
            model.signals_[name].variable.to_base_variable(),
            recording[name].variable.to_base_variable(),
        )
    assert "slice_time" not in model.maps_.coords
    assert "slice_time" not in model.signals_.coords
    assert model.maps_["component"].values.tolist() == [0, 1, 2]


def test_units_and_provenance_are_kept(make, recording) -> None:
    model = make().fit(recording)
    assert model.maps_.attrs["units"] == "1"
    assert model.signals_.attrs["units"] == "a.u."
    lines = model.signals_.attrs["history"].split("\n")
    assert lines[0] == "simulate()"
    assert lines[1].startswith(f"{type(model).__name__}(")
    assert model.maps_.attrs["history"] == model.signals_.attrs["history"]


def test_fit_transform_equals_the_fitted_signals(make, recording) -> None:
    model = make()
    xr.testing.assert_identical(model.fit_transform(recording), model.signals_)


def test_transform_of_the_recording_equals_the_fitted_signals(make, recording) -> None:
    model = make().fit(recording)
    again = model.transform(recording)
    scale = float(np.abs(model.signals_).max())
    np.testing.assert_allclose(again, model.signals_, atol=1e-3 * scale)
    assert set(again.coords) == set(model.signals_.coords)


def test_maps_have_unit_norm_and_come_by_energy(make, recording) -> None:
    model = make().fit(recording)
    norms = np.sqrt((model.maps_**2).sum(["z", "y", "x"]))
    np.testing.assert_allclose(norms, 1, rtol=1e-5)
    assert (np.diff(model.energy_) <= 0).all()
    energies = (model.signals_**2).sum("time") / (recording.astype(float) ** 2).sum()
    np.testing.assert_allclose(model.energy_, energies, rtol=1e-3)


def test_inverse_transform_rebuilds_with_the_error_stated(make, recording) -> None:
    model = make().fit(recording)
    rebuilt = model.inverse_transform(model.signals_)
    error = float(np.sqrt(((recording.astype(float) - rebuilt) ** 2).sum()))
    assert error == pytest.approx(model.reconstruction_err_, rel=1e-3)
    assert rebuilt.dims == recording.dims
    assert rebuilt.name == "power"
    assert rebuilt.attrs["units"] == "a.u."
    assert set(rebuilt.coords) == set(recording.coords)
    assert error < 0.1 * float(np.sqrt((recording.astype(float) ** 2).sum()))


def test_inverse_transform_takes_components_by_label_in_any_order(make, recording) -> None:
    model = make().fit(recording)
    turned = model.signals_.isel(component=[2, 0, 1]).transpose()
    xr.testing.assert_allclose(
        model.inverse_transform(turned), model.inverse_transform(), rtol=1e-4
    )


def test_inverse_transform_of_some_components_rebuilds_those_alone(make, recording) -> None:
    model = make().fit(recording)
    parts = [model.inverse_transform(model.signals_.sel(component=[label])) for label in range(3)]
    nothing = model.inverse_transform(model.signals_ * 0)
    total = sum(part.astype(float) - nothing for part in parts) + nothing
    np.testing.assert_allclose(total, model.inverse_transform(), atol=1e-3)


def test_inverse_transform_at_new_times_drops_what_belongs_to_the_old(make, recording) -> None:
    model = make().fit(recording)
    later = recording.isel(time=slice(10)).assign_coords(time=np.arange(10) + 100.0)
    rebuilt = model.inverse_transform(model.transform(later))
    np.testing.assert_array_equal(rebuilt["time"], later["time"])
    assert "slice_time" not in rebuilt.coords


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
    ],
)
def test_signals_without_meaning_are_refused(make, recording, change, error, message) -> None:
    model = make().fit(recording)
    with pytest.raises(error, match=message):
        model.inverse_transform(change(model.signals_))


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
def test_any_order_of_dimensions_gives_the_same_answer(make, recording, dims) -> None:
    straight, turned = make().fit(recording), make().fit(recording.transpose(*dims))
    assert turned.reconstruction_err_ == pytest.approx(straight.reconstruction_err_, rel=1e-4)
    turned_maps = turned.maps_.transpose(*straight.maps_.dims)
    assert (correlations(straight.maps_, turned_maps) > 0.999).all()
    assert (correlations(straight.signals_, turned.signals_) > 0.999).all()
    assert turned.inverse_transform().dims == dims


@pytest.mark.parametrize("chunks", [{"time": 7}, {"time": 16, "x": 2}, {"y": 1}])
def test_any_chunking_gives_the_same_answer(make, recording, chunks) -> None:
    whole, chunked = make().fit(recording), make().fit(recording.chunk(chunks))
    assert chunked.reconstruction_err_ == pytest.approx(whole.reconstruction_err_, rel=1e-4)
    assert (correlations(whole.maps_, chunked.maps_) > 0.999).all()
    signals = whole.transform(recording.chunk(chunks))
    np.testing.assert_allclose(signals, whole.signals_, atol=1e-3 * float(whole.signals_.max()))


def test_the_same_seed_gives_identical_results(make, recording) -> None:
    one, two = make().fit(recording), make().fit(recording)
    xr.testing.assert_identical(one.maps_, two.maps_)
    xr.testing.assert_identical(one.signals_, two.signals_)


@pytest.mark.parametrize("scale", [1e-3, 1e8])
def test_the_scale_of_a_recording_changes_no_part(make, recording, scale: float) -> None:
    plain, scaled = make().fit(recording), make().fit(recording * np.float32(scale))
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


def test_a_voxel_missing_from_new_data_is_passed_over(make, recording) -> None:
    model = make().fit(recording)
    holed = recording.copy()
    holed[:, 1, 3, 2] = np.nan
    signals = model.transform(holed)
    assert np.isfinite(signals).all()
    assert (correlations(signals, model.signals_) > 0.99).all()


def test_transform_matches_a_permuted_grid_by_label(make, recording) -> None:
    model = make().fit(recording)
    turned = recording.isel(x=[3, 1, 0, 4, 2]).transpose("y", "time", "x", "z")
    np.testing.assert_allclose(
        model.transform(turned), model.signals_, atol=1e-3 * float(model.signals_.max())
    )


def test_transform_refuses_a_shifted_grid(make, recording) -> None:
    model = make().fit(recording)
    with pytest.raises(ValueError, match=r"lies on another grid: .* along 'y'"):
        model.transform(recording.assign_coords(y=recording["y"] + 0.02))


def test_transform_carries_the_new_times(make, recording) -> None:
    model = make().fit(recording)
    later = recording.isel(time=slice(5)).assign_coords(
        time=np.arange(5) + 50.0, run=("time", list("ccccc"))
    )
    signals = model.transform(later)
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


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_a_saved_model_comes_back_identical(make, recording, tmp_path, suffix: str) -> None:
    mask = recording["area"] % 4 != 0
    model = make(mask=mask).fit(recording)
    partita.save(model, tmp_path / f"model{suffix}")
    again = partita.load_model(tmp_path / f"model{suffix}")
    assert type(again) is type(model)
    xr.testing.assert_identical(again.maps_, model.maps_)
    xr.testing.assert_identical(again.signals_, model.signals_)
    xr.testing.assert_identical(again.energy_, model.energy_)
    xr.testing.assert_identical(again.mask.drop_attrs(), mask.drop_attrs())
    assert again.reconstruction_err_ == model.reconstruction_err_
    xr.testing.assert_identical(again.transform(recording), model.transform(recording))
    xr.testing.assert_identical(again.inverse_transform(), model.inverse_transform())
    plain = {key: value for key, value in model.get_params().items() if key != "mask"}
    assert {key: value for key, value in again.get_params().items() if key != "mask"} == plain


def test_every_fitted_attribute_is_saved(make, recording, tmp_path) -> None:
    model = make().fit(recording)
    partita.save(model, tmp_path / "model.nc")
    again = partita.load_model(tmp_path / "model.nc")
    fitted = {name for name in vars(model) if name.endswith("_")}
    assert {name for name in vars(again) if name.endswith("_")} == fitted
    for name in fitted - {"fit_report_"}:
        ours, theirs = getattr(model, name), getattr(again, name)
        if isinstance(ours, xr.DataArray | xr.Dataset):
            xr.testing.assert_identical(theirs, ours)
        else:
            assert theirs == ours, name


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
    with pytest.raises(ValueError, match=r"1 of 60 x 60 .*time 2.6, z 1.4, y 0.1, x -0.3.*notnull"):
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


def test_an_unknown_mode_is_refused(make, recording) -> None:
    with pytest.raises(ValueError, match="mode is 'temporal' or 'spatial', and was given 'both'"):
        make(mode="both").fit(recording)


def test_constant_and_duplicate_voxels_are_no_trouble(make, recording) -> None:
    recording[:, 0, 0, 0] = 3.0
    recording[:, 0, 0, 1] = recording[:, 0, 0, 2]
    recording[:, 0, 0, 3] = 0.0
    model = make().fit(recording)
    assert np.isfinite(model.maps_).all()
    assert np.isfinite(model.signals_).all()


def test_both_factors_and_new_signals_are_non_negative(make_non_negative, recording) -> None:
    model = make_non_negative().fit(recording)
    assert (model.maps_ >= 0).all()
    assert (model.signals_ >= 0).all()
    assert (model.transform(recording.isel(time=slice(None, None, -1)) + 0.5) >= 0).all()


def test_an_iterative_fit_says_how_it_went(make_iterative, recording) -> None:
    model = make_iterative().fit(recording)
    assert model.n_iter_ >= 1
    assert model.converged_ is True


def test_a_fit_that_stops_early_warns_once_with_the_remedy(make_iterative, recording) -> None:
    with pytest.warns(ConvergenceWarning, match="stopped after 1 iterations.*max_iter") as caught:
        model = make_iterative(max_iter=1, tol=1e-9).fit(recording)
    assert len(caught) == 1
    assert model.converged_ is False
