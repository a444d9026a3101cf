"""PCA and FastICA of recordings that stay on disk agree with those in memory."""

import numpy as np
import pytest
import xarray as xr

import partita as pt
from partita._solvers.matrices import partition
from partita.decomposition import out_of_core

CHUNKS = {"by time": {"time": 23}, "by place": {"y": 7, "x": 11}}


@pytest.fixture(autouse=True)
def _streams_in_many_parts_whatever_the_size(monkeypatch):
    monkeypatch.setattr(out_of_core, "KEPT_BYTES", 0)
    monkeypatch.setattr(partition, "PART_BYTES", 50_000)


@pytest.fixture(scope="module", params=["many voxels", "many samples"])
def recording(request):
    tall = request.param == "many samples"
    rng = np.random.default_rng(0)
    n, shape = (500, (9, 12)) if tall else (300, (20, 24))
    strength = np.array([9.0, 6.0, 4.0, 2.5])
    signals = rng.laplace(size=(n, 4))
    maps = rng.laplace(size=(4, *shape))
    values = np.einsum("tk,kyx->tyx", signals / signals.std(0) * strength, maps)
    values += 100 + rng.standard_normal(values.shape)
    return xr.DataArray(
        values,
        dims=("time", "y", "x"),
        coords={"time": np.arange(n) / 10.0, "y": np.arange(shape[0]), "x": np.arange(shape[1])},
        attrs={"units": "V"},
    )


@pytest.mark.slow
@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=list(CHUNKS))
@pytest.mark.parametrize("mode", ["temporal", "spatial"])
def test_principal_components_are_those_in_memory(recording, chunks, mode):
    eager = pt.PCA(4, mode=mode).fit(recording)
    lazy = pt.PCA(4, mode=mode).fit(recording.chunk(chunks))
    xr.testing.assert_allclose(lazy.maps_, eager.maps_, atol=1e-5)
    xr.testing.assert_allclose(lazy.signals_, eager.signals_, atol=1e-3)
    xr.testing.assert_allclose(lazy.energy_, eager.energy_, rtol=1e-6)
    xr.testing.assert_allclose(
        lazy.explained_variance_ratio_, eager.explained_variance_ratio_, rtol=1e-6
    )
    assert lazy.reconstruction_err_ == pytest.approx(eager.reconstruction_err_, rel=1e-5)


@pytest.mark.parametrize("mode", ["temporal", "spatial"])
def test_the_rebuilt_recording_is_lazy_and_as_near_as_stated(recording, mode):
    model = pt.PCA(4, mode=mode).fit(recording.chunk(time=20))
    rebuilt = model.inverse_transform()
    assert rebuilt.chunks is not None
    error = float(np.sqrt(((recording - rebuilt) ** 2).sum()))
    assert error == pytest.approx(model.reconstruction_err_, rel=1e-5)


@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=list(CHUNKS))
@pytest.mark.parametrize("mode", ["temporal", "spatial"])
def test_independent_components_are_those_in_memory(recording, chunks, mode):
    eager = pt.FastICA(4, mode=mode, random_state=0, tol=1e-6, max_iter=2000).fit(recording)
    lazy = pt.FastICA(4, mode=mode, random_state=0, tol=1e-6, max_iter=2000)
    lazy.fit(recording.chunk(chunks))
    of_maps = np.corrcoef(*(m.maps_.values.reshape(4, -1) for m in (lazy, eager)))[:4, 4:]
    of_signals = np.corrcoef(*(m.signals_.values.T for m in (lazy, eager)))[:4, 4:]
    assert of_maps.max(1).min() > 0.999
    np.testing.assert_array_equal(of_maps.argmax(1), of_signals.argmax(1))
    assert of_signals.max(1).min() > 0.999
    assert lazy.reconstruction_err_ == pytest.approx(eager.reconstruction_err_, rel=1e-4)


def test_voxels_without_data_stay_outside_and_isolated_gaps_are_refused(recording):
    outside = recording.where(recording.x > 1)
    eager, lazy = (pt.PCA(3).fit(r) for r in (outside, outside.chunk(time=30)))
    xr.testing.assert_allclose(lazy.maps_, eager.maps_, atol=1e-5)
    spoilt = recording.copy(deep=True)
    spoilt[5, 2, 3] = np.nan
    with pytest.raises(ValueError, match="NaN or infinite"):
        pt.PCA(3).fit(spoilt.chunk(time=30))
