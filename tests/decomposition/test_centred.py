"""PCA and FastICA: what their modes mean, and agreement with linear algebra."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from sklearn import decomposition as sk
from sklearn.exceptions import ConvergenceWarning

from partita import PCA, FastICA
from partita.decomposition import out_of_core


def mixed(seed: int = 0) -> tuple[xr.DataArray, np.ndarray, np.ndarray]:
    """Return three non-Gaussian sources mixed into a recording with a large mean."""
    rng = np.random.default_rng(seed)
    signals = np.stack(
        [np.sign(np.sin(np.arange(300) / s)) for s in (3.1, 7.7)] + [rng.laplace(size=300)]
    )
    maps = rng.laplace(size=(3, 50))
    values = signals.T @ maps + 20 * rng.random(50) + 0.01 * rng.standard_normal((300, 50))
    return xr.DataArray(values, dims=("time", "voxel")), signals.T, maps


@pytest.mark.parametrize("mode", ["temporal", "spatial"])
def test_pca_is_the_best_fit_of_its_rank(mode: str) -> None:
    recording, _, _ = mixed()
    centred = recording - recording.mean("time" if mode == "temporal" else "voxel")
    values = np.linalg.svd(centred.values, compute_uv=False)
    pca = PCA(3, mode=mode).fit(recording)
    assert pca.reconstruction_err_ == pytest.approx(np.sqrt((values[3:] ** 2).sum()), rel=1e-6)
    np.testing.assert_allclose(
        pca.explained_variance_ratio_, values[:3] ** 2 / (values**2).sum(), rtol=1e-6
    )


def in_parts(monkeypatch, recording):
    """Return a recording that is read part by part, however small."""
    monkeypatch.setattr(out_of_core, "KEPT_BYTES", 0)
    return recording.chunk({recording.dims[0]: 23})


VARIANCES = ("explained_variance_", "explained_variance_ratio_", "singular_values_")


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("mode", ["temporal", "spatial"])
def test_variances_are_those_of_scikit_learn(mode: str, streams: bool, monkeypatch) -> None:
    recording, _, _ = mixed()
    samples = recording.values if mode == "temporal" else recording.values.T
    theirs = sk.PCA(4, svd_solver="full").fit(samples)
    pca = PCA(4, mode=mode).fit(in_parts(monkeypatch, recording) if streams else recording)
    assert (pca.inverse_transform().chunks is not None) is streams
    for name in VARIANCES:
        ours = getattr(pca, name)
        np.testing.assert_allclose(ours, getattr(theirs, name), rtol=1e-5, err_msg=name)
        assert ours["component"].equals(pca.maps_["component"])
        assert f"{ours.name}_" == name
    assert isinstance(pca.noise_variance_, float)
    assert pca.noise_variance_ == pytest.approx(theirs.noise_variance_, rel=1e-4)


def test_voxels_outside_the_mask_add_nothing_to_the_variances() -> None:
    recording, _, _ = mixed()
    inside = xr.DataArray(np.arange(50) % 3 > 0, dims="voxel")
    theirs = sk.PCA(2).fit(recording.values[:, inside.values])
    pca = PCA(2, mask=inside).fit(recording)
    np.testing.assert_allclose(pca.explained_variance_, theirs.explained_variance_)
    assert pca.noise_variance_ == pytest.approx(theirs.noise_variance_)


def test_where_all_components_are_kept_no_noise_is_left() -> None:
    recording = mixed()[0].isel(voxel=slice(4))
    pca = PCA(4).fit(recording)
    assert pca.noise_variance_ == sk.PCA(4).fit(recording.values).noise_variance_ == 0
    still = PCA(1, mode="spatial").fit(recording.isel(voxel=[0]))
    assert (float(still.explained_variance_[0]), still.noise_variance_) == (0, 0)


def test_variances_have_the_units_of_the_recording() -> None:
    units = [
        [getattr(PCA(2).fit(recording), name).attrs.get("units") for name in VARIANCES]
        for recording in (mixed()[0].assign_attrs(units=unit) for unit in ("mV", "1"))
    ]
    assert units == [["(mV)^2", "1", "mV"], ["1", "1", "1"]]
    bare = PCA(2).fit(mixed()[0])
    assert "units" not in bare.singular_values_.attrs | bare.explained_variance_.attrs


@pytest.mark.parametrize("estimator", [PCA, FastICA])
def test_temporal_signals_are_uncorrelated_and_centred(estimator) -> None:
    signals = estimator(3, random_state=0).fit(mixed()[0]).signals_.values
    np.testing.assert_allclose(signals.mean(0), 0, atol=1e-8 * np.abs(signals).max())
    np.testing.assert_allclose(np.corrcoef(signals.T), np.eye(3), atol=1e-6)


@pytest.mark.parametrize("estimator", [PCA, FastICA])
def test_spatial_maps_are_uncorrelated_and_centred(estimator) -> None:
    maps = estimator(3, mode="spatial", random_state=0).fit(mixed()[0]).maps_.values
    np.testing.assert_allclose(maps.mean(1), 0, atol=1e-8)
    np.testing.assert_allclose(np.corrcoef(maps), np.eye(3), atol=1e-6)


def test_the_mean_of_each_time_point_travels_with_the_signals() -> None:
    recording, _, _ = mixed()
    pca = PCA(3, mode="spatial").fit(recording)
    np.testing.assert_allclose(pca.signals_["offset"], recording.mean("voxel"))
    later = pca.transform(recording.isel(time=slice(9)) + 5)
    np.testing.assert_allclose(later["offset"], recording.isel(time=slice(9)).mean("voxel") + 5)
    with pytest.raises(ValueError, match="the coordinate 'offset'"):
        pca.inverse_transform(pca.signals_.drop_vars("offset"))


def test_temporal_ica_finds_the_independent_signals() -> None:
    recording, signals, _ = mixed()
    found = FastICA(3, random_state=0).fit(recording).signals_.values
    match = np.abs(np.corrcoef(found.T, signals.T)[:3, 3:]).max(axis=0)
    assert (match > 0.98).all()


def test_spatial_ica_finds_the_independent_maps() -> None:
    rng = np.random.default_rng(1)
    maps = rng.laplace(size=(3, 4000))
    recording = xr.DataArray(rng.standard_normal((40, 3)) @ maps, dims=("time", "voxel"))
    found = FastICA(3, mode="spatial", random_state=0).fit(recording).maps_.values
    match = np.abs(np.corrcoef(found, maps)[:3, 3:]).max(axis=0)
    assert (match > 0.98).all()


@pytest.mark.parametrize("estimator", [PCA, FastICA])
@pytest.mark.parametrize("mode", ["temporal", "spatial"])
def test_more_components_than_samples_are_refused(estimator, mode: str) -> None:
    recording, _, _ = mixed()
    with pytest.raises(ValueError, match=r"at most min\(samples, voxels\) = 5 .* is 6"):
        estimator(6, mode=mode).fit(recording.isel(time=slice(5)))


@pytest.mark.parametrize("shape", [(2000, 30), (30, 2000), (600, 700)])
def test_every_shape_is_solved_exactly(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(2)
    recording = xr.DataArray(rng.random(shape), dims=("time", "voxel"))
    values = np.linalg.svd(recording.values - recording.values.mean(0), compute_uv=False)
    pca = PCA(4, random_state=0).fit(recording)
    assert pca.reconstruction_err_ == pytest.approx(np.sqrt((values[4:] ** 2).sum()), rel=1e-8)


def test_a_sparse_recording_is_centred_as_a_dense_one() -> None:
    sparse = pytest.importorskip("sparse")
    rng = np.random.default_rng(3)
    dense = xr.DataArray(rng.poisson(0.3, (50, 20)).astype(float), dims=("time", "neuron"))
    counts = dense.copy(data=sparse.COO.from_numpy(dense.values))
    one, two = PCA(2).fit(dense), PCA(2).fit(counts)
    np.testing.assert_allclose(one.maps_, two.maps_, atol=1e-8)
    np.testing.assert_allclose(two.transform(counts), two.signals_, atol=1e-8)


@pytest.mark.parametrize("fun", ["logcosh", "exp", "cube"])
def test_a_rotation_is_that_of_scikit_learn_whichever_its_contrast(fun) -> None:
    rng = np.random.default_rng(0)
    sources = rng.laplace(size=(400, 3))
    recording = xr.DataArray(sources @ rng.normal(size=(3, 8)), dims=("time", "voxel"))
    ours = FastICA(3, fun=fun, random_state=0).fit(recording)
    theirs = sk.FastICA(3, fun=fun, random_state=0, max_iter=500, whiten_solver="svd")
    found = theirs.fit_transform(recording.values)
    r = np.abs(np.corrcoef(ours.signals_.values.T, found.T)[:3, 3:]).max(axis=1)
    assert r.min() > 0.999
    assert ours.converged_


@pytest.mark.parametrize("max_iter", [1, 2])
def test_a_rotation_that_ends_early_says_so_once(max_iter) -> None:
    rng = np.random.default_rng(0)
    recording = xr.DataArray(rng.normal(size=(60, 8)), dims=("time", "voxel"))
    with pytest.warns(ConvergenceWarning, match="FastICA") as caught:
        model = FastICA(5, tol=1e-12, max_iter=max_iter, random_state=0).fit(recording)
    assert len(caught) == 1
    assert (model.n_iter_, model.converged_) == (max_iter, False)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"fun": "tanh"}, "fun is one of logcosh, exp, cube, and was given 'tanh'"),
        ({"tol": "small"}, "tol is a non-negative number"),
        ({"tol": -1.0}, "tol is a non-negative number"),
        ({"max_iter": 0}, "max_iter is a whole number of at least 1"),
        ({"max_iter": 2.5}, "max_iter is a whole number of at least 1"),
    ],
)
def test_settings_of_a_rotation_without_meaning_are_refused_in_words(wrong, message) -> None:
    recording = xr.DataArray(np.random.default_rng(0).normal(size=(60, 8)), dims=("time", "voxel"))
    with pytest.raises(ValueError, match=message):
        FastICA(2, **wrong).fit(recording)
