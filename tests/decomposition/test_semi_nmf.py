"""SemiNMF: known parts of recordings with signs, its parameters, its controls."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

import partita
from partita import SemiNMF
from partita._solvers.matrices import partition
from partita.decomposition import out_of_core


def planted(*, n_times: int = 200, shape=(12, 15), quiet: float = 0.75) -> xr.Dataset:
    """Return four maps with signs, their sparse signals, and the recording they make."""
    rng = np.random.default_rng(3)
    signals = rng.gamma(1.0, 1.0, (n_times, 4)) * [4.0, 3.4, 2.8, 2.2]
    signals *= rng.random(signals.shape) > quiet
    maps = rng.standard_normal((4, *shape))
    values = np.tensordot(signals, maps, 1) + 0.5 * rng.standard_normal((n_times, *shape))
    coords = {"time": np.arange(n_times) * 0.5, "y": np.arange(shape[0]), "x": np.arange(shape[1])}
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


def best_match(found: xr.DataArray, true: xr.DataArray, dims: list[str]) -> xr.DataArray:
    """Return the best correlation of each true part with a found one, signs included."""
    return xr.corr(found.rename(component="found"), true, dim=dims).max("found")


@pytest.mark.parametrize("standardised", [False, True])
def test_planted_parts_are_recovered_with_their_signs(standardised: bool) -> None:
    truth = planted(n_times=400, quiet=0.85)
    recording, maps = truth["recording"], truth["maps"]
    if standardised:
        maps = maps / recording.std("time")
        recording = partita.preprocess.zscore(recording)
    semi = SemiNMF(4, random_state=0).fit(recording)
    assert (best_match(semi.maps_, maps, ["y", "x"]) > 0.98).all()
    assert (best_match(semi.signals_, truth["signals"], ["time"]) > 0.98).all()
    assert (semi.signals_ >= 0).all()
    assert (semi.maps_ < 0).any(["y", "x"]).all()
    assert semi.converged_


def test_it_explains_no_less_than_the_means_of_clusters() -> None:
    rng = np.random.default_rng(0)
    values = 5 * rng.standard_normal((5, 40))[rng.integers(5, size=120)]
    recording = xr.DataArray(
        values + rng.standard_normal(values.shape), dims=("time", "voxel"), name="activity"
    )
    inertia = KMeans(5, n_init=10, random_state=0).fit(recording.values).inertia_
    assert SemiNMF(5, l2=0, random_state=0).fit(recording).reconstruction_err_ ** 2 <= inertia


def test_shrinkage_keeps_the_parts_of_a_centred_recording_from_cancelling(truth) -> None:
    centred = truth["recording"] - truth["recording"].mean("time")
    free = SemiNMF(4, l2=0, max_iter=2000, random_state=0).fit(centred)
    assert free.energy_.sum() > 100
    assert SemiNMF(4, random_state=0).fit(centred).energy_.sum() < 1


def test_the_losses_end_in_the_objective_that_is_stated(truth) -> None:
    semi = SemiNMF(4, l2=0.05, random_state=0).fit(truth["recording"])
    energies = (semi.signals_**2).sum("time") * (semi.maps_**2).sum(["y", "x"])
    objective = 0.5 * semi.reconstruction_err_**2 + 0.5 * 0.05 * energies.sum()
    assert semi.losses_.sizes["iteration"] == semi.n_iter_
    assert float(semi.losses_[-1]) == pytest.approx(float(objective), rel=1e-6)


def test_the_certificate_names_both_factors(truth) -> None:
    semi = SemiNMF(4, tol=1e-5, random_state=0).fit(truth["recording"])
    assert semi.optimality_["residual"].sel(factor="signals") < 1e-8
    assert semi.optimality_["residual"].sel(factor="maps") <= 1e-5
    assert (semi.optimality_["possible_decrease"] < 1e-8).all()


def test_a_sparse_recording_stays_sparse(truth) -> None:
    sparse = pytest.importorskip("sparse")
    few = truth["recording"].where(abs(truth["recording"]) > 4, 0)
    plain = SemiNMF(4, random_state=0, tol=1e-6).fit(few)
    semi = SemiNMF(4, random_state=0, tol=1e-6).fit(few.copy(data=sparse.COO(few.values)))
    assert semi.reconstruction_err_ == pytest.approx(plain.reconstruction_err_, rel=1e-6)
    assert (xr.corr(semi.maps_, plain.maps_, dim=["y", "x"]) > 0.999).all()


@pytest.fixture
def streaming(monkeypatch) -> None:
    """Stream every lazy recording, in small parts."""
    monkeypatch.setattr(out_of_core, "KEPT_BYTES", 0)
    monkeypatch.setattr(partition, "PART_BYTES", 50_000)


@pytest.mark.slow
@pytest.mark.usefixtures("streaming")
@pytest.mark.parametrize("shape", [(20, 24), (9, 10)])
@pytest.mark.parametrize("chunks", [{"time": 23}, {"y": 4, "x": 5}, {"time": 50, "y": 4}])
def test_a_recording_that_stays_on_disk_gives_the_same_parts(shape, chunks) -> None:
    truth = planted(shape=shape, n_times=250)
    recording = partita.preprocess.zscore(truth["recording"])
    eager = SemiNMF(4, random_state=0).fit(recording)
    lazy = SemiNMF(4, random_state=0).fit(recording.chunk(chunks))
    xr.testing.assert_allclose(lazy.maps_, eager.maps_, atol=1e-3)
    assert lazy.reconstruction_err_ == pytest.approx(eager.reconstruction_err_, rel=1e-4)
    assert lazy.fit_report_["passes"] < 20
    assert lazy.inverse_transform().chunks is not None


@pytest.mark.usefixtures("streaming")
def test_a_block_that_cannot_be_read_any_more_leaves_the_factors_so_far(truth) -> None:
    gone: list[bool] = []

    def read(block: np.ndarray) -> np.ndarray:
        if gone:
            raise OSError("the disk is gone")
        return block

    lazy = truth["recording"].chunk(time=50)
    blocks = da.map_blocks(read, lazy.data, dtype=lazy.dtype, meta=np.empty((0, 0, 0)))
    semi = SemiNMF(4, random_state=0, tol=0, max_iter=5)
    with pytest.raises(OSError, match="the disk is gone"):
        semi.fit(lazy.copy(data=blocks), callback=lambda state: gone.append(state.iteration > 1))
    assert not semi.converged_
    assert semi.optimality_["residual"].isnull().all()
    assert (semi.signals_ >= 0).all()


def test_a_callback_sees_labelled_factors_and_may_end_the_fit(truth) -> None:
    states = []

    def look(state) -> bool:
        states.append((state.iteration, state.maps, state.signals))
        return True

    semi = SemiNMF(4, random_state=0, tol=1e-9).fit(truth["recording"], callback=look)
    ((iteration, maps, signals),) = states
    assert iteration == semi.n_iter_ == 1
    assert maps.dims == ("component", "y", "x")
    assert (signals >= 0).all()
    assert not semi.converged_


def test_an_interrupted_fit_keeps_what_it_has(truth) -> None:
    def interrupt(state) -> None:
        raise KeyboardInterrupt

    semi = SemiNMF(4, random_state=0)
    with pytest.raises(KeyboardInterrupt):
        semi.fit(truth["recording"], callback=interrupt)
    assert not semi.converged_
    error = float(np.sqrt(((truth["recording"] - semi.inverse_transform()) ** 2).sum()))
    assert semi.reconstruction_err_ == pytest.approx(error, rel=1e-4)


def test_a_fit_that_stops_early_names_the_remedy(truth) -> None:
    with pytest.warns(ConvergenceWarning, match=r"SemiNMF stopped.*Raise max_iter, or l2"):
        SemiNMF(4, max_iter=1, tol=1e-9, random_state=0).fit(truth["recording"])


def test_all_zero_data_have_parts_of_zero(truth) -> None:
    semi = SemiNMF(2).fit(truth["recording"] * 0)
    assert semi.converged_
    assert not semi.signals_.any()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"l2": -1}, "l2 is a non-negative number"),
        ({"l2": (0.1, 0.2)}, "l2 is one number"),
        ({"n_starts": 0}, "n_starts is 'auto' or a whole number"),
        ({"tol": 2}, "tol bounds the optimality residual"),
        ({"max_iter": 0}, "max_iter is a whole number"),
    ],
)
def test_parameters_without_meaning_are_refused(truth, given, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SemiNMF(2, **given).fit(truth["recording"])
