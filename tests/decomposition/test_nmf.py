"""NMF: known parts, its parameters, its controls."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse
import xarray as xr
from sklearn.decomposition import NMF as SklearnNMF
from sklearn.exceptions import ConvergenceWarning

import partita
from partita import NMF
from partita._solvers.divergence import solver


def planted(*, noise: float = 0.02, seed: int = 3, n_times: int = 80) -> xr.Dataset:
    """Return four sparse parts over y and x, their signals, and the recording they make."""
    rng = np.random.default_rng(seed)
    signals = rng.gamma(0.5, 1.0, (n_times, 4)) * [6.0, 5, 4, 3]
    maps = rng.gamma(0.3, 1.0, (4, 9, 8))
    maps /= np.sqrt((maps**2).sum((1, 2), keepdims=True))
    values = np.tensordot(signals, maps, 1) + noise * rng.random((n_times, 9, 8))
    coords = {"time": np.arange(n_times) * 0.5, "y": np.arange(9.0), "x": np.arange(8.0)}
    return xr.Dataset(
        {
            "recording": (("time", "y", "x"), values),
            "maps": (("component", "y", "x"), maps),
            "signals": (("time", "component"), signals),
        },
        coords,
    )


@pytest.fixture(scope="module")
def truth() -> xr.Dataset:
    return planted()


def best_match(found: xr.DataArray, true: xr.DataArray) -> np.ndarray:
    """Return the best cosine of each true map with a found one."""
    left = found.stack(p=("y", "x")).values
    right = true.stack(p=("y", "x")).values
    cosines = right @ left.T
    cosines /= np.outer(np.linalg.norm(right, axis=1), np.linalg.norm(left, axis=1))
    return cosines.max(axis=1)


@pytest.mark.parametrize("mode", ["temporal", "spatial"])
@pytest.mark.parametrize("init", ["auto", "random", "nndsvd", "nndsvda", "nndsvdar"])
def test_planted_parts_are_recovered_from_every_start(truth, mode: str, init: str) -> None:
    nmf = NMF(4, mode=mode, init=init, random_state=0, n_starts=3).fit(truth["recording"])
    assert (best_match(nmf.maps_, truth["maps"]) > 0.99).all()
    assert nmf.converged_


@pytest.mark.parametrize("loss", ["kullback-leibler", "itakura-saito", 0.5, 1.5, 2])
def test_planted_parts_are_recovered_with_every_loss(truth, loss) -> None:
    nmf = NMF(4, loss=loss, random_state=0, max_iter=2000).fit(truth["recording"])
    assert (best_match(nmf.maps_, truth["maps"]) > 0.95).all()


@pytest.mark.parametrize(
    ("loss", "sklearn_loss"),
    [("frobenius", "frobenius"), ("kullback-leibler", "kullback-leibler"), ("itakura-saito", 0)],
)
def test_the_error_stated_is_that_of_the_divergence(truth, loss, sklearn_loss) -> None:
    from sklearn.decomposition._nmf import _beta_divergence

    nmf = NMF(4, loss=loss, random_state=0, max_iter=2000).fit(truth["recording"])
    matrix = truth["recording"].values.reshape(80, -1)
    maps = nmf.maps_.values.reshape(4, -1)
    error = _beta_divergence(matrix, nmf.signals_.values, maps, sklearn_loss, square_root=True)
    assert nmf.reconstruction_err_ == pytest.approx(error, rel=1e-5)
    assert nmf.losses_.values[-1] == pytest.approx(error**2 / 2, rel=1e-4)


def test_the_loss_is_not_above_scikit_learns_in_ten_seeds(truth) -> None:
    matrix = truth["recording"].values.reshape(80, -1)
    for seed in range(10):
        peer = SklearnNMF(4, init="nndsvda", tol=1e-4, max_iter=500, random_state=seed)
        signals = peer.fit_transform(matrix)
        theirs = 0.5 * np.sum((matrix - signals @ peer.components_) ** 2)
        ours = 0.5 * NMF(4, random_state=seed).fit(truth["recording"]).reconstruction_err_ ** 2
        assert ours <= theirs * (1 + 1e-5)


def test_losses_never_rise_and_end_where_the_error_says(truth) -> None:
    nmf = NMF(4, random_state=0, solver="hals").fit(truth["recording"])
    assert nmf.losses_.dims == ("iteration",)
    assert nmf.losses_["iteration"].values[0] == 1
    assert (np.diff(nmf.losses_) <= 1e-9 * nmf.losses_.values[0]).all()
    assert nmf.losses_.values[-1] == pytest.approx(nmf.reconstruction_err_**2 / 2, rel=1e-6)


def test_the_certificate_bounds_what_a_longer_fit_finds(truth) -> None:
    nmf = NMF(4, random_state=0).fit(truth["recording"])
    assert nmf.optimality_["factor"].values.tolist() == ["maps", "signals"]
    assert float(np.hypot(*nmf.optimality_["residual"])) <= nmf.tol
    assert (nmf.optimality_["possible_decrease"] >= 0).all()
    longer = NMF(4, random_state=0, tol=1e-8, max_iter=5000).fit(truth["recording"])
    assert nmf.reconstruction_err_ <= longer.reconstruction_err_ * (1 + 1e-4)


def test_the_report_names_the_route_and_the_passes(truth) -> None:
    report = NMF(4, random_state=0).fit(truth["recording"]).fit_report_
    assert report["passes"] > 0
    assert isinstance(report["route"], str)
    assert all(seconds >= 0 for seconds in report["seconds"].values())


def test_the_passes_of_a_divergence_count_those_of_its_start(truth) -> None:
    nmf = NMF(4, loss="kullback-leibler", random_state=0).fit(truth["recording"])
    assert nmf.fit_report_["passes"] >= nmf.n_iter_ + 10


def test_sparser_maps_and_signals_come_of_their_penalties(truth) -> None:
    def zeros(**penalties: float) -> tuple[float, float]:
        nmf = NMF(4, random_state=0, **penalties).fit(truth["recording"])
        return float((nmf.maps_ == 0).mean()), float((nmf.signals_ == 0).mean())

    plain, maps, signals = zeros(), zeros(maps_l1=0.3), zeros(signals_l1=0.3)
    assert maps[0] > plain[0] + 0.05
    assert signals[1] > plain[1] + 0.05


@pytest.mark.parametrize("mode", ["temporal", "spatial"])
@pytest.mark.parametrize("penalties", [
    {"maps_l1": 100.0}, {"signals_l1": 100.0}, {"l2": (1.0, 1.0), "penalty": "scikit-learn"},
])  # fmt: skip
def test_a_penalty_that_no_part_outweighs_leaves_none(truth, mode: str, penalties) -> None:
    recording = truth["recording"][:, ::3, ::4]
    nmf = NMF(3, mode=mode, random_state=0, **penalties).fit(recording)
    assert not nmf.signals_.any()
    assert not nmf.transform(recording).any()
    assert nmf.reconstruction_err_ == pytest.approx(np.linalg.norm(recording))


def test_a_penalty_cannot_be_evaded_by_rescaling(truth) -> None:
    fits = [
        NMF(4, maps_l1=0.1, random_state=0, init="nndsvd", tol=1e-6, max_iter=3000).fit(
            truth["recording"] * scale
        )
        for scale in (1.0, 1024.0)
    ]
    xr.testing.assert_allclose(fits[0].maps_, fits[1].maps_, rtol=1e-6)


@pytest.mark.parametrize(
    "given", [{"signals_l1": 0.05}, {"l2": 0.1}, {"penalty": "scikit-learn", "l2": 0.01}]
)
def test_under_a_penalty_signals_of_a_part_are_a_part_of_the_signals(truth, given) -> None:
    recording = truth["recording"]
    model = NMF(4, random_state=0, **given).fit(recording)
    whole, part = model.transform(recording)[:10], model.transform(recording[:10])
    np.testing.assert_allclose(part, whole, atol=1e-6 * float(whole.max()))


@pytest.mark.parametrize(
    ("alpha_W", "alpha_H", "ratio"), [(0.01, 0.01, 1.0), (0.02, 0.005, 0.5), (0.005, 0.02, 0.0)]
)
def test_scikit_learns_penalty_reaches_its_objective(truth, alpha_W, alpha_H, ratio) -> None:
    matrix = truth["recording"].values.reshape(80, -1)
    strengths = {"alpha_W": alpha_W, "alpha_H": alpha_H, "l1_ratio": ratio}
    peer = SklearnNMF(4, init="nndsvda", tol=1e-8, max_iter=5000, **strengths)
    ours = NMF(
        4, penalty="scikit-learn", maps_l1=alpha_H * ratio, signals_l1=alpha_W * ratio,
        l2=(alpha_H * (1 - ratio), alpha_W * (1 - ratio)), random_state=0, max_iter=3000, tol=1e-5,
    ).fit(truth["recording"])  # fmt: skip

    def objective(signals, maps):
        def of(factor):
            return ratio * factor.sum() + 0.5 * (1 - ratio) * np.square(factor).sum()

        (n, p), misfit = matrix.shape, np.square(matrix - signals @ maps).sum()
        return 0.5 * misfit + alpha_W * p * of(signals) + alpha_H * n * of(maps)

    theirs = objective(peer.fit_transform(matrix), peer.components_)
    assert ours.losses_.values[-1] <= theirs * (1 + 1e-4)


def test_shrinkage_of_maps_and_of_signals_is_saved_and_refused_where_it_means_nothing(
    truth, tmp_path
) -> None:
    nmf = NMF(4, penalty="scikit-learn", l2=(0.01, 0.03), random_state=0).fit(truth["recording"])
    partita.save(nmf, tmp_path / "model.nc")
    again = partita.load_model(tmp_path / "model.nc")
    xr.testing.assert_allclose(
        again.fit(truth["recording"]).maps_.drop_attrs(), nmf.maps_.drop_attrs()
    )
    with pytest.raises(ValueError, match=r"l2 is one number, .* penalty='scikit-learn' only"):
        NMF(4, l2=(0.01, 0.03)).fit(truth["recording"])
    with pytest.raises(ValueError, match="l2 is a non-negative number, and was given -1"):
        NMF(4, penalty="scikit-learn", l2=(0.01, -1)).fit(truth["recording"])


def test_a_warm_start_keeps_order_and_labels(truth) -> None:
    start = truth["maps"].assign_coords(component=["d", "a", "c", "b"])
    nmf = NMF(4, init=start, random_state=0).fit(truth["recording"])
    assert nmf.maps_["component"].values.tolist() == ["d", "a", "c", "b"]
    cosines = (nmf.maps_ * start).sum(["y", "x"])
    assert (cosines > 0.99).all()


def test_a_warm_start_on_a_permuted_grid_is_matched_by_label(truth) -> None:
    start = truth["maps"].assign_coords(component=range(4))
    turned = start.isel(x=slice(None, None, -1)).transpose("x", "component", "y")
    one = NMF(4, init=start, random_state=0).fit(truth["recording"])
    two = NMF(4, init=turned, random_state=0).fit(truth["recording"])
    xr.testing.assert_identical(one.maps_, two.maps_)


def test_new_components_follow_those_given(truth) -> None:
    start = truth["maps"].isel(component=[2, 1]).assign_coords(component=[7, 3])
    nmf = NMF(4, init=start, random_state=0).fit(truth["recording"])
    assert nmf.maps_["component"].values.tolist() == [7, 3, 8, 9]
    assert (best_match(nmf.maps_, truth["maps"]) > 0.99).all()


def test_maps_and_signals_together_start_at_their_own_loss(truth) -> None:
    fitted = NMF(4, random_state=0).fit(truth["recording"])
    start = xr.Dataset({"maps": fitted.maps_, "signals": fitted.signals_})
    again = NMF(4, init=start, random_state=0).fit(truth["recording"])
    assert again.losses_.values[0] <= fitted.losses_.values[-1] * (1 + 1e-6)
    assert again.n_iter_ <= fitted.n_iter_
    assert again.reconstruction_err_ <= fitted.reconstruction_err_ * (1 + 1e-6)


def test_fixed_maps_are_held_while_the_rest_is_learned(truth) -> None:
    known = truth["maps"].isel(component=[1, 3]).assign_coords(component=["left", "right"])
    nmf = NMF(4, fixed_maps=known, random_state=0).fit(truth["recording"])
    assert nmf.maps_["component"].values.tolist() == ["left", "right", "2", "3"]
    np.testing.assert_allclose(nmf.maps_.isel(component=slice(2)), known, rtol=1e-6, atol=1e-12)
    assert (best_match(nmf.maps_, truth["maps"]) > 0.99).all()


def test_every_map_may_be_fixed(truth) -> None:
    known = truth["maps"].assign_coords(component=range(4))
    nmf = NMF(4, fixed_maps=known, random_state=0).fit(truth["recording"])
    np.testing.assert_allclose(nmf.maps_, known, rtol=1e-6, atol=1e-12)
    assert float(xr.corr(nmf.signals_, truth["signals"], dim="time").min()) > 0.99


def test_given_signals_that_are_negative_are_named(truth) -> None:
    start = xr.Dataset({"maps": truth["maps"], "signals": truth["signals"] - 9})
    with pytest.raises(ValueError, match=r"init\['signals'\] must be .* signals.clip\(min=0\)"):
        NMF(4, init=start).fit(truth["recording"])


@pytest.mark.parametrize(
    ("start", "error", "message"),
    [
        (lambda m: m.values, TypeError, "was given ndarray.*init=model.maps_"),
        (lambda m: "svd", ValueError, "init is one of auto, random"),
        (lambda m: m.isel(component=0, drop=True), TypeError, "the dimension 'component'"),
        (lambda m: m - 1, ValueError, "init must be non-negative; .* negative"),
        (lambda m: m.assign_coords(x=m["x"] + 0.5), ValueError, "init lies on another grid"),
        (lambda m: m.assign_coords(component=[1, 1, 2, 3]), ValueError, "names a component twice"),
        (lambda m: xr.Dataset({"maps": m}), ValueError, "needs the variables 'maps' and 'signals'"),
        (lambda m: xr.concat([m, m], "component"), ValueError, "bring 8 components"),
    ],
)
def test_a_start_without_meaning_is_refused(truth, start, error, message: str) -> None:
    with pytest.raises(error, match=message):
        NMF(4, init=start(truth["maps"])).fit(truth["recording"])


def test_fixed_maps_on_another_grid_are_refused(truth) -> None:
    with pytest.raises(ValueError, match="fixed_maps"):
        NMF(4, fixed_maps=truth["maps"].assign_coords(y=truth["y"] + 1)).fit(truth["recording"])


def test_negative_fixed_maps_are_refused(truth) -> None:
    with pytest.raises(ValueError, match="fixed_maps must be non-negative"):
        NMF(4, fixed_maps=truth["maps"] - 0.5).fit(truth["recording"])


def test_missing_entries_play_no_part(truth) -> None:
    recording = truth["recording"]
    rng = np.random.default_rng(0)
    known = xr.ones_like(recording).copy(data=rng.random(recording.shape) > 0.2)
    spoiled = recording.where(known.astype(bool), -1e6)
    holed = recording.where(known.astype(bool))
    one = NMF(4, random_state=0).fit(spoiled, weights=known)
    two = NMF(4, random_state=0).fit(holed, weights=holed.notnull())
    xr.testing.assert_identical(one.maps_, two.maps_)
    assert (best_match(one.maps_, truth["maps"]) > 0.99).all()
    held_out = (recording - one.inverse_transform()).where(~known.astype(bool))
    assert float((held_out**2).mean()) < 0.01 * float((recording**2).mean())


def test_censored_frames_play_no_part_and_have_no_signal(truth) -> None:
    recording = truth["recording"].copy()
    keep = xr.ones_like(recording["time"]).where(recording["time"] < 35, 0)
    spoiled = recording.where(keep.astype(bool), 1e3)
    one = NMF(4, random_state=0).fit(spoiled, weights=keep)
    two = NMF(4, random_state=0).fit(recording, weights=keep)
    xr.testing.assert_identical(one.maps_, two.maps_)
    assert (one.signals_.sel(time=slice(35, None)) == 0).all()


def test_a_voxel_without_weight_is_outside(truth) -> None:
    weights = xr.ones_like(truth["recording"].isel(time=0, drop=True))
    weights[2, 3] = 0
    nmf = NMF(4, random_state=0).fit(truth["recording"], weights=weights)
    assert nmf.maps_.isel(y=2, x=3).isnull().all()
    assert int(nmf.maps_.isnull().sum()) == 4


@pytest.mark.parametrize("over", ["time", ("y", "x"), "all"])
@pytest.mark.parametrize("options", [{}, {"maps_l1": 0.1, "l2": 0.1}])
def test_only_the_proportions_of_weights_count(truth, over, options) -> None:
    recording = truth["recording"].isel(time=slice(80))
    rng = np.random.default_rng(0)
    whole = recording * 0 + rng.random(recording.shape)
    weights = (
        whole if over == "all" else whole.isel({d: 0 for d in recording.dims if d not in over})
    )
    one, two = (
        NMF(4, random_state=0, **options).fit(recording, weights=c * weights) for c in (1.0, 100.0)
    )
    assert two.reconstruction_err_ == pytest.approx(one.reconstruction_err_, rel=1e-4)
    np.testing.assert_allclose(two.signals_, one.signals_, atol=1e-3 * float(one.signals_.max()))


def test_weights_of_one_change_nothing(truth) -> None:
    plain = NMF(4, random_state=0).fit(truth["recording"])
    weighed = NMF(4, random_state=0).fit(
        truth["recording"], weights=xr.ones_like(truth["recording"]["time"])
    )
    assert weighed.reconstruction_err_ == pytest.approx(plain.reconstruction_err_, rel=1e-4)


def test_negative_values_are_refused_with_the_remedy(truth) -> None:
    with pytest.raises(ValueError, match=r"needs non-negative data; .*split_sign"):
        NMF(4).fit(truth["recording"] - 1)
    fitted = NMF(4, random_state=0).fit(truth["recording"])
    with pytest.raises(ValueError, match=r"NMF.transform needs non-negative data"):
        fitted.transform(truth["recording"] - 1)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"loss": "huber"}, "loss is one of frobenius"),
        ({"loss": 2.5}, "a number from 0 to 2"),
        ({"loss": -0.1}, "a number from 0 to 2"),
        ({"solver": "cd"}, "solver is one of auto, hals, sketch"),
        ({"penalty": "elastic"}, "penalty is one of unit-norm, scikit-learn"),
        ({"tol": -1e-3}, "a number from 0 to 1"),
        ({"tol": 1.5}, "a number from 0 to 1"),
        ({"max_iter": 0}, "max_iter is a whole number"),
        ({"n_starts": 0}, "n_starts is 'auto' or a whole number"),
        ({"n_starts": 3, "solver": "hals"}, "n_starts=3: several starts .* random_state"),
        ({"n_starts": 3, "loss": "itakura-saito"}, "n_starts=3: several starts .* random_state"),
        ({"maps_l1": -1}, "maps_l1 is a non-negative number"),
        ({"signals_l1": "a"}, "signals_l1 is a non-negative number"),
        ({"l2": np.inf}, "l2 is a non-negative number"),
    ],
)
def test_parameters_without_meaning_are_refused(truth, parameters, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NMF(4, **parameters).fit(truth["recording"])


def test_more_components_than_samples_warns_once_and_is_defined() -> None:
    small = planted(n_times=3)["recording"]
    with pytest.warns(UserWarning, match="n_components=5 is more than min") as caught:
        nmf = NMF(5, random_state=0).fit(small)
    assert len(caught) == 1
    assert np.isfinite(nmf.maps_).all()
    assert nmf.reconstruction_err_ < 0.01 * float(np.sqrt((small**2).sum()))


def test_no_tolerance_runs_to_the_end_without_a_warning(truth) -> None:
    nmf = NMF(4, tol=0, max_iter=7, random_state=0).fit(truth["recording"])
    assert nmf.n_iter_ == 7


def test_the_warning_names_residual_and_remedy(truth) -> None:
    with pytest.warns(ConvergenceWarning, match="residual is .*Raise max_iter"):
        NMF(4, tol=1e-12, max_iter=2, random_state=0).fit(truth["recording"])


def test_a_callback_sees_labelled_factors_and_may_stop(truth) -> None:
    seen = []

    def look(state) -> bool:
        seen.append((state.iteration, state.loss, state.maps.dims, state.signals.sizes["time"]))
        return state.iteration == 2

    nmf = NMF(4, tol=1e-12, random_state=0).fit(truth["recording"], callback=look)
    assert [entry[0] for entry in seen] == [1, 2]
    assert seen[0][2:] == (("component", "y", "x"), 80)
    assert nmf.n_iter_ == 2
    assert nmf.converged_ is False


def test_ctrl_c_keeps_the_best_factors_so_far(truth) -> None:
    def interrupt(state) -> None:
        if state.iteration == 2:
            raise KeyboardInterrupt

    nmf = NMF(4, tol=1e-12, random_state=0)
    with pytest.raises(KeyboardInterrupt):
        nmf.fit(truth["recording"], callback=interrupt)
    assert nmf.converged_ is False
    assert nmf.maps_.sizes["component"] == 4
    assert nmf.inverse_transform().sizes == truth["recording"].sizes


def test_ctrl_c_before_the_first_factors_of_a_divergence_ends_the_fit(truth, monkeypatch) -> None:
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(solver, "begin", interrupted)
    nmf = NMF(4, loss="kullback-leibler", random_state=0)
    with pytest.raises(KeyboardInterrupt):
        nmf.fit(truth["recording"])
    assert not hasattr(nmf, "maps_")


def test_an_empty_recording_has_empty_parts(truth) -> None:
    nmf = NMF(2, random_state=0).fit(truth["recording"] * 0)
    assert (nmf.signals_ == 0).all()
    assert nmf.reconstruction_err_ == 0
    assert (nmf.energy_ == 0).all()


def test_sparse_and_dense_recordings_have_the_same_parts(truth) -> None:
    pytest.importorskip("sparse")
    flat = truth["recording"].stack(p=("y", "x")).drop_vars(["p", "y", "x"])
    flat = flat.where(flat > 0.5, 0)
    counts = partita.from_sparse(
        scipy.sparse.csr_array(flat.values), dims=flat.dims, coords={"time": flat["time"]}
    )
    dense, sparse = NMF(4, random_state=0).fit(flat), NMF(4, random_state=0).fit(counts)
    assert sparse.reconstruction_err_ == pytest.approx(dense.reconstruction_err_, rel=1e-6)
    np.testing.assert_allclose(sparse.transform(counts), sparse.signals_, atol=1e-4)


def test_zeros_are_allowed_under_itakura_saito(truth) -> None:
    holed = truth["recording"].copy()
    holed[3, 2, 1] = 0
    nmf = NMF(4, loss="itakura-saito", random_state=0, max_iter=2000).fit(holed)
    assert np.isfinite(nmf.reconstruction_err_)
    assert np.isfinite(nmf.maps_).all()


def test_a_number_of_starts_of_numpys_is_that_number(truth) -> None:
    plain = NMF(4, n_starts=3, random_state=0).fit(truth["recording"])
    other = NMF(4, n_starts=np.int64(3), random_state=0).fit(truth["recording"])
    assert other.fit_report_["starts"] == plain.fit_report_["starts"] == 3
    xr.testing.assert_identical(other.maps_.drop_attrs(), plain.maps_.drop_attrs())


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("tol", [1e-2, 1e-3, 1e-12])
def test_converged_is_what_the_certificate_says(truth, weighted: bool, tol: float) -> None:
    recording = truth["recording"]
    weights = recording.notnull() if weighted else None
    nmf = NMF(4, tol=tol, max_iter=60, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        nmf.fit(recording, weights=weights)
    assert nmf.converged_ == bool(np.hypot(*nmf.optimality_["residual"].values) <= tol)


def test_a_generator_goes_on_from_fit_to_fit(truth) -> None:
    rng = np.random.default_rng(0)
    nmf = NMF(4, init="random", n_starts=1, solver="hals", max_iter=3, tol=0, random_state=rng)
    first, second = (nmf.fit(truth["recording"]).losses_.values[0] for _ in range(2))
    assert first != second


def test_parts_of_another_models_signals_are_found_under_another_name(truth) -> None:
    signals = NMF(4, random_state=0).fit(truth["recording"]).signals_
    with pytest.raises(ValueError, match=r"labels its results by 'component'.*rename\(component="):
        NMF(2, random_state=0).fit(signals)
    nmf = NMF(2, random_state=0).fit(signals.rename(component="part"))
    assert nmf.maps_.dims == ("component", "part")


def test_a_recording_on_another_grid_is_named_as_what_it_is(truth) -> None:
    recording = truth["recording"]
    model = NMF(2, random_state=0, max_iter=5, tol=0).fit(recording)
    moved = recording.assign_coords(x=recording["x"] + 0.5)
    with pytest.raises(ValueError, match=r"^The recording given to NMF\.transform lies on another"):
        model.transform(moved)
