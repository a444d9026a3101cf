import numpy as np
import pytest
import xarray as xr

from partita import NMF, PCA, load_model, save
from partita._solvers.matrices.spread import Spread
from partita.decomposition.explained import Explained


@pytest.fixture
def recording():
    rng = np.random.default_rng(3)
    values = rng.gamma(0.5, 1.0, (80, 3)) @ rng.gamma(0.3, 1.0, (3, 40)) + 0.3 * rng.random(
        (80, 40)
    )
    return xr.DataArray(values, dims=("time", "voxel"), coords={"time": np.arange(80.0)})


def shares(recording, model, weights=1.0):
    weights = xr.zeros_like(recording) + weights
    left = (weights * (recording - model.inverse_transform()) ** 2).sum()
    mean = (weights * recording).sum("time") / weights.sum("time")
    return {
        "r2": float(1 - left / (weights * (recording - mean) ** 2).sum()),
        "vaf": float(1 - left / (weights * recording**2).sum()),
    }


def of(model):
    return {name: float(value) for name, value in model.explained_.data_vars.items()}


def test_principal_components_explain_the_sum_of_their_ratios(recording) -> None:
    pca = PCA(n_components=4).fit(recording)
    assert of(pca)["r2"] == pytest.approx(float(pca.explained_variance_ratio_.sum()), abs=1e-10)


def test_a_large_mean_raises_the_share_of_squares_and_not_of_variance(recording) -> None:
    raised = NMF(2, random_state=0).fit(recording + 50)
    assert of(raised)["vaf"] > 0.99 > 0.8 > of(raised)["r2"]


@pytest.mark.parametrize("loss", ["kullback-leibler", "itakura-saito", 1.5])
def test_shares_count_squares_whatever_the_divergence(recording, loss) -> None:
    model = NMF(3, loss=loss, random_state=0).fit(recording)
    assert of(model) == pytest.approx(shares(recording, model), abs=1e-6)


@pytest.mark.parametrize("dims", [("time",), ("voxel",), ("time", "voxel")])
@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])
def test_weights_count(recording, dims, loss) -> None:
    like = recording.isel({dim: 0 for dim in recording.dims if dim not in dims}, drop=True)
    weights = like.copy(data=np.random.default_rng(4).random(like.shape))
    model = NMF(3, loss=loss, random_state=0).fit(recording, weights=weights)
    assert of(model) == pytest.approx(shares(recording, model, weights), abs=1e-6)


def test_sessions_are_measured_together(recording) -> None:
    halves = {"a": recording[:30], "b": recording[30:]}
    model = NMF(3, random_state=0).fit_sessions(halves)
    left = float(((recording.values - model.inverse_transform().values) ** 2).sum())
    varies = float(((recording - recording.mean("time")) ** 2).sum())
    assert of(model)["r2"] == pytest.approx(1 - left / varies, abs=1e-6)


def test_a_session_folded_in_is_measured_alone(recording) -> None:
    model = NMF(3, random_state=0).partial_fit(recording[:40]).partial_fit(recording[40:])
    assert of(model) == pytest.approx(shares(recording[40:], model), abs=1e-6)


def test_shares_are_saved_with_the_model(recording, tmp_path) -> None:
    model = NMF(3, random_state=0).fit(recording)
    save(model, tmp_path / "model.nc")
    xr.testing.assert_identical(load_model(tmp_path / "model.nc").explained_, model.explained_)


def test_what_does_not_vary_has_no_share_of_variance() -> None:
    assert np.isnan(Explained.of(Spread(4.0, 0.0), 0.0).r2)
    assert Explained.of(Spread(4.0, 0.0), 0.0).vaf == 1
    flat = xr.DataArray(np.zeros((6, 4)), dims=("time", "voxel"))
    assert np.isnan(NMF(1).fit(flat).explained_["vaf"])
