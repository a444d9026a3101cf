"""Fits of recordings that stay on disk: the same answer in few passes, whatever the chunks."""

import multiprocessing
import warnings
from concurrent.futures import ProcessPoolExecutor

import dask
import dask.array
import numpy as np
import pytest
import xarray as xr

import partita as pt
from partita._solvers.matrices import partition, streamed
from partita._solvers.nmf import block_update
from partita.decomposition import out_of_core


@pytest.fixture(autouse=True)
def _streams_in_many_parts_whatever_the_size(monkeypatch):
    monkeypatch.setattr(out_of_core, "KEPT_BYTES", 0)
    monkeypatch.setattr(partition, "PART_BYTES", 200_000)


@pytest.fixture(scope="module")
def recording(signed_fusi):
    return signed_fusi(160, (40, 30), 5)


@pytest.fixture(scope="module")
def eager(recording):
    return pt.NMF(6, random_state=0).fit(recording)


def count_reads(recording, chunks):
    """Return the recording in chunks that count how often each is read."""
    reads = []
    chunked = recording.chunk(chunks)

    def look(block):
        reads.append(block.shape)
        return block

    data = chunked.data.map_blocks(look, dtype=recording.dtype, meta=np.empty((0,) * chunked.ndim))
    reads.clear()
    return chunked.copy(data=data), reads


def correlations(factor, other):
    """Return the correlation of each component of a factor with each of another's."""
    k = factor.sizes["component"]
    flat = [
        f.transpose("component", ...).fillna(0).values.reshape(f.sizes["component"], -1)
        for f in (factor, other)
    ]
    return np.corrcoef(np.concatenate(flat))[:k, k:]


def aligned(maps, others):
    """Return the correlation of each map with the one most like it."""
    return correlations(maps, others).max(1)


def assert_same_parts(model, other):
    """Assert that two fits have one loss, and matched maps, and signals, that are the same."""
    assert model.losses_[-1] == pytest.approx(float(other.losses_[-1]), rel=1e-4)
    of_maps = correlations(model.maps_, other.maps_)
    of_signals = correlations(model.signals_, other.signals_)
    match = of_maps.argmax(1)
    assert sorted(match) == list(range(len(match)))
    here = np.arange(len(match))
    assert of_maps[here, match].min() > 0.999
    assert of_signals[here, match].min() > 0.999


CHUNKS = {
    "by time": {"time": 23},
    "by place": {"y": 7, "x": 11},
    "by both": {"time": 50, "y": 20, "x": 16},
    "one": {},
}


@pytest.mark.slow
@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=list(CHUNKS))
@pytest.mark.parametrize("mode", ["temporal", "spatial"])
def test_any_chunking_gives_the_answer_of_memory(recording, eager, chunks, mode):
    model = pt.NMF(6, mode=mode, random_state=0).fit(recording.chunk(chunks))
    assert model.converged_
    assert_same_parts(model, eager)
    assert model.reconstruction_err_ == pytest.approx(eager.reconstruction_err_, rel=1e-4)
    assert model.maps_.dims == eager.maps_.dims
    assert model.signals_.dims == eager.signals_.dims
    assert model.fit_report_["route"] == "stream"


SCALINGS = {
    "zscore": pt.preprocess.zscore,
    "delta_f_over_f": lambda still: pt.preprocess.delta_f_over_f(still, window=10.0),
}


@pytest.mark.parametrize("scaled", SCALINGS.values(), ids=list(SCALINGS))
def test_a_whole_lazy_chain_gives_the_parts_of_the_eager_one(scaled):
    options = {"n_times": 60, "shape": (1, 32, 28), "n_components": 3, "random_state": 0}
    moved = pt.datasets.simulate_fusi(motion=0.03, rotation=0.2, **options)["recording"]
    chains = [
        pt.preprocess.split_sign(scaled(pt.preprocess.register(one)))
        for one in (moved, moved.chunk(time=15))
    ]
    assert [chain.chunks is not None for chain in chains] == [False, True]
    eagerly, lazily = (pt.NMF(3, random_state=0).fit(chain) for chain in chains)
    assert lazily.fit_report_["route"] == "stream"
    assert_same_parts(lazily, eagerly)
    for name in ("motion_y", "suspect"):
        xr.testing.assert_allclose(lazily.signals_[name], eagerly.signals_[name], atol=1e-6)


@pytest.mark.parametrize("chunks", [{"time": 23}, {"y": 7}], ids=["by time", "by place"])
def test_a_fit_takes_few_passes_and_counts_them(recording, chunks):
    counted, reads = count_reads(recording, chunks)
    model = pt.NMF(6, random_state=0).fit(counted)
    blocks = int(np.prod(counted.data.numblocks))
    assert len(reads) % blocks == 0
    assert len(reads) // blocks == model.fit_report_["passes"] <= 16


def test_the_same_seed_gives_the_same_bits(recording):
    fits = [pt.NMF(6, random_state=3).fit(recording.chunk(time=40)) for _ in range(2)]
    xr.testing.assert_identical(fits[0].maps_, fits[1].maps_)
    xr.testing.assert_identical(fits[0].signals_, fits[1].signals_)


@pytest.mark.parametrize("chunks", [{"time": 23}, {"y": 7}], ids=["by time", "by place"])
def test_a_mask_and_voxels_without_data_stay_outside(recording, chunks):
    mask = xr.ones_like(recording.isel(time=0, sign=0, drop=True), bool)
    mask[:5] = False
    gone = recording.where((recording.y > recording.y[8]) | (recording.x > recording.x[3]))
    model = pt.NMF(4, mask=mask, random_state=0).fit(gone.chunk(chunks))
    expected = pt.NMF(4, mask=mask, random_state=0).fit(gone)
    np.testing.assert_array_equal(np.isnan(model.maps_), np.isnan(expected.maps_))
    assert model.losses_[-1] == pytest.approx(float(expected.losses_[-1]), rel=1e-4)


@pytest.mark.parametrize("chunks", [{"time": 23}, {"y": 7}], ids=["by time", "by place"])
@pytest.mark.parametrize(("value", "words"), [(np.nan, "NaN or infinite"), (-1.0, "non-negative")])
def test_what_cannot_be_used_is_named_with_its_place(recording, chunks, value, words):
    spoilt = recording.copy(deep=True)
    spoilt[70, 1, 20, 3] = value
    spoilt[90, 0, 1, 2] = value
    with pytest.raises(ValueError, match=words) as lazily:
        pt.NMF(3).fit(spoilt.chunk(chunks))
    with pytest.raises(ValueError, match=words) as eagerly:
        pt.NMF(3).fit(spoilt)
    assert str(lazily.value) == str(eagerly.value)


@pytest.mark.parametrize("chunks", [{"time": 23}, {"y": 7}], ids=["by time", "by place"])
def test_penalties_held_maps_and_warm_starts_are_kept(recording, eager, chunks):
    lazy = recording.chunk(chunks)
    penalised = [pt.NMF(5, maps_l1=0.1, random_state=0).fit(x) for x in (recording, lazy)]
    assert float(penalised[1].losses_[-1]) <= float(penalised[0].losses_[-1]) * (1 + 1e-3)
    held = pt.NMF(6, fixed_maps=eager.maps_[:2], random_state=0).fit(lazy)
    xr.testing.assert_allclose(held.maps_[:2], eager.maps_[:2], atol=1e-5)
    warm = pt.NMF(6, init=eager.maps_, random_state=0).fit(lazy)
    assert aligned(warm.maps_, eager.maps_).min() > 0.999
    np.testing.assert_array_equal(warm.maps_["component"], eager.maps_["component"])


def test_more_samples_than_voxels_are_streamed_as_well(recording):
    regions = recording.isel(y=slice(0, 4), x=slice(0, 5)).chunk(time=30)
    lazily, eagerly = (pt.NMF(3, random_state=0).fit(x) for x in (regions, regions.compute()))
    assert lazily.losses_[-1] == pytest.approx(float(eagerly.losses_[-1]), rel=1e-4)


@pytest.mark.parametrize("chunks", [{"time": 30}, {"y": 2}], ids=["by time", "by place"])
def test_voxels_without_data_are_left_out_where_samples_are_many(recording, chunks):
    regions = recording.isel(y=slice(0, 4), x=slice(0, 5))
    gone = regions.where((regions.y > regions.y[0]) | (regions.x > regions.x[1]))
    lazily, eagerly = (pt.NMF(3, random_state=0).fit(x) for x in (gone.chunk(chunks), gone))
    np.testing.assert_array_equal(np.isnan(lazily.maps_), np.isnan(eagerly.maps_))
    assert lazily.losses_[-1] == pytest.approx(float(eagerly.losses_[-1]), rel=1e-4)


@pytest.mark.parametrize("chunks", [{"time": 23}, {"y": 7}], ids=["by time", "by place"])
def test_transform_reads_a_recording_part_by_part_for_the_signals_of_memory(
    recording, eager, chunks
):
    half = recording.isel(time=slice(None, None, 2))
    gone = half.where((half.y > half.y[2]) | (half.x > half.x[3]))
    counted, reads = count_reads(gone, chunks)
    found = eager.transform(counted)
    assert len(reads) == 2 * np.prod(counted.data.numblocks)
    assert max(map(np.prod, reads)) < gone.size / 3
    expected = eager.transform(gone)
    xr.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * float(expected.max()))
    assert found.attrs == expected.attrs


def test_transform_keeps_to_the_mask_and_names_what_it_cannot_use(recording):
    mask = xr.ones_like(recording.isel(time=0, sign=0, drop=True), bool)
    mask[:5] = False
    model = pt.NMF(4, mask=mask, random_state=0).fit(recording)
    spoilt = recording.copy(deep=True)
    spoilt[3, 0, 2, 2] = -1.0  # outside
    found = model.transform(spoilt.chunk(time=30))
    np.testing.assert_allclose(found, model.signals_, rtol=1e-3, atol=1e-3)
    spoilt[70, 1, 20, 3] = -1.0
    for given in (spoilt, spoilt.chunk(time=30)):
        with pytest.raises(ValueError, match="non-negative data; 1 of"):
            model.transform(given)


def test_nothing_is_computed_before_the_fit_and_nothing_warns(recording):
    counted, reads = count_reads(recording, {"time": 40})
    model = pt.NMF(3)
    assert not reads
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(counted)
    assert counted.chunks is not None


def test_any_local_scheduler_of_dask_serves(recording, eager):
    lazy = recording.chunk(time=40)
    for scheduler in ("synchronous", "threads"):
        with dask.config.set(scheduler=scheduler):
            model = pt.NMF(6, random_state=0).fit(lazy)
        assert model.losses_[-1] == pytest.approx(float(eager.losses_[-1]), rel=1e-4)


@pytest.mark.slow
def test_processes_that_dask_starts_serve_as_well(recording, eager):
    spawning = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(1, mp_context=spawning) as pool,
        dask.config.set(scheduler="processes", pool=pool),
    ):
        model = pt.NMF(6, random_state=0).fit(recording.chunk(time=40))
    assert_same_parts(model, eager)


def test_an_interrupted_fit_keeps_the_best_factors_so_far(recording):
    seen = []

    def interrupt(state):
        seen.append(state.maps)
        if state.iteration == 2:
            raise KeyboardInterrupt

    model = pt.NMF(6, random_state=0)
    with pytest.raises(KeyboardInterrupt):
        model.fit(recording.chunk(time=40), callback=interrupt)
    assert not model.converged_
    assert model.maps_.shape == seen[0].shape
    assert np.isfinite(model.reconstruction_err_)


@pytest.mark.parametrize("last", [0, 2], ids=["in the first round", "in the third"])
def test_an_interrupted_fit_does_not_read_on(recording, monkeypatch, last):
    read, visited, pressed = streamed.Stream.run, streamed.Stream.over_parts, []

    def run(self, *given, **options):
        assert not pressed, "read after the interrupt"
        return read(self, *given, **options)

    def over_parts(self, work, *given, **options):
        if len(rounds) == last and work is block_update._visit_part:
            pressed.append(True)
            raise KeyboardInterrupt
        return visited(self, work, *given, **options)

    rounds = []
    monkeypatch.setattr(streamed.Stream, "run", run)
    monkeypatch.setattr(streamed.Stream, "over_parts", over_parts)
    model = pt.NMF(6, tol=0, random_state=0)
    with pytest.raises(KeyboardInterrupt):
        model.fit(recording.chunk(time=40), callback=lambda state: rounds.append(state.loss))
    assert not model.converged_
    assert model.n_iter_ == last
    rebuilt = model.inverse_transform().compute()
    misfit = float(((recording - rebuilt) ** 2).sum()) / 2
    if last:
        assert misfit == pytest.approx(rounds[-1], rel=1e-3)
        assert model.reconstruction_err_ == pytest.approx(np.sqrt(2 * misfit), rel=1e-3)
    assert misfit < 0.5 * float((recording**2).sum())


@pytest.mark.parametrize("chunks", [{"time": 23}, {"y": 7}], ids=["by time", "by place"])
def test_the_recording_is_rebuilt_lazily(recording, chunks):
    outside = recording.where(recording.x > recording.x[2])
    model = pt.NMF(6, random_state=0).fit(outside.chunk(chunks))
    rebuilt = model.inverse_transform()
    assert rebuilt.chunks is not None
    assert rebuilt.dims == recording.dims
    rest = outside - rebuilt.compute()
    np.testing.assert_array_equal(np.isnan(rest).all("time"), np.isnan(outside).all("time"))
    assert np.sqrt(float((rest**2).sum())) == pytest.approx(model.reconstruction_err_, rel=1e-3)
    some = model.inverse_transform(model.signals_.sel(component=[1, 3]))
    assert some.chunks is not None


def test_unknown_chunks_are_refused_with_the_remedy(recording):
    bright = recording.data if recording.chunks else dask.array.from_array(recording.values)
    unknown = xr.DataArray(bright[bright.sum((1, 2, 3)) > 0], dims=recording.dims)
    for model in (pt.NMF(3), pt.PCA(3), pt.FastICA(3)):
        with pytest.raises(ValueError, match="compute_chunk_sizes"):
            model.fit(unknown)
    with pytest.raises(ValueError, match="chunks of known sizes"):
        pt.preprocess.zscore(unknown)


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [pt.NMF(3, random_state=0, max_iter=1, tol=0), pt.PCA(3), pt.FastICA(3, random_state=0)],
    ids=["NMF", "PCA", "FastICA"],
)
def test_tiny_blocks_are_said_once(recording, model, monkeypatch):
    monkeypatch.setattr(out_of_core, "_MANY", 100)
    chopped = recording.chunk({"time": 8, "y": 6, "x": 30})
    with pytest.warns(UserWarning, match=r"140 blocks.*partita convert") as said:
        model.fit(chopped)
    assert sum("blocks" in str(one.message) for one in said) == 1
