"""z-scores: standard, whatever the layout, the chunks and the scale."""

from __future__ import annotations

import tracemalloc
import warnings

import numpy as np
import pytest
import xarray as xr

from partita.preprocess import zscore

dask = pytest.importorskip("dask")


def power(*, dtype: str = "float32", n_times: int = 60, scale: float = 1.0) -> xr.DataArray:
    """Return a signed recording with all the labels a real one has."""
    rng = np.random.default_rng(3)
    shape = (n_times, 2, 5, 4)
    values = (1e4 + 3e3 * rng.standard_normal(shape)) * scale
    return xr.DataArray(
        values.astype(dtype),
        dims=("time", "z", "y", "x"),
        coords={
            "time": ("time", 0.3 * np.arange(n_times), {"units": "s", "long_name": "Time"}),
            "y": ("y", 0.1 * np.arange(5), {"units": "mm"}),
            "grid": ((), 0, {"qform_code": 1}),
            "depth": (("y", "x"), rng.random((5, 4))),
            "motion": (("time", "y"), rng.random((n_times, 5))),
        },
        attrs={"units": "a.u.", "long_name": "Power Doppler", "history": "load()", "subject": "S1"},
        name="power",
    )


def test_every_voxel_has_mean_zero_and_sd_one():
    scores = zscore(power()).astype(float)
    np.testing.assert_allclose(scores.mean("time"), 0, atol=1e-6)
    np.testing.assert_allclose(scores.std("time"), 1, rtol=1e-6)


def test_ddof_divides_the_variance_by_one_sample_less():
    np.testing.assert_allclose(zscore(power(), ddof=1).std("time", ddof=1), 1, rtol=1e-6)


def test_every_label_is_kept_and_the_units_say_that_these_are_scores():
    recording = power()
    before = recording.copy(deep=True)
    scores = zscore(recording, ddof=1)
    kept = scores.coords.to_dataset().drop_vars("background")
    xr.testing.assert_identical(kept, recording.coords.to_dataset())
    assert (scores.dims, scores.name) == (recording.dims, "power")
    assert scores.attrs == {
        "units": "1",
        "long_name": "Power Doppler (z-score)",
        "history": "load()\nzscore(ddof=1)",
        "subject": "S1",
    }
    xr.testing.assert_identical(recording, before)


def test_a_nameless_recording_gets_a_name_for_its_plots():
    assert zscore(power().drop_attrs()).attrs["long_name"] == "z-score"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("float32", "float32"),
        ("float64", "float64"),
        ("int16", "float32"),
        ("uint16", "float32"),
        ("int32", "float64"),
    ],
)
def test_precision_is_kept_and_integers_are_promoted(given, expected):
    scores = zscore(power(dtype=given))
    assert scores.dtype == expected
    assert zscore(power(dtype=given).chunk(time=7)).dtype == expected
    np.testing.assert_allclose(scores.std("time"), 1, rtol=1e-5)


@pytest.mark.parametrize("order", [("y", "x", "z", "time"), ("z", "time", "x", "y")])
@pytest.mark.parametrize("contiguous", [True, False])
def test_the_order_of_dimensions_changes_nothing(order, contiguous):
    recording = power()
    turned = recording.transpose(*order)
    if contiguous:
        turned = turned.copy(data=np.ascontiguousarray(turned.data))
    scores = zscore(turned)
    assert scores.dims == order
    np.testing.assert_allclose(
        scores.transpose(*recording.dims), zscore(recording), rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize(
    "chunks",
    [
        {"time": 1},
        {"time": 17},
        {"time": -1, "y": 2},
        {"time": (5, 50, 5), "z": 1, "y": 3, "x": (1, 3)},
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_chunks_change_nothing_and_stay_as_they_are(chunks, dtype):
    recording = power(dtype=dtype)
    lazy = recording.chunk(chunks)
    scores = zscore(lazy)
    assert scores.chunks == lazy.chunks
    xr.testing.assert_allclose(scores.compute(), zscore(recording), rtol=1e-6, atol=1e-6)
    assert scores.attrs == zscore(recording).attrs


def test_a_lazy_recording_is_read_once_when_called_and_once_when_used():
    reads = []

    def read(block):
        reads.append(block.size)
        return block

    recording = power()
    lazy = recording.chunk(time=10)
    lazy = lazy.copy(data=lazy.data.map_blocks(read, meta=lazy.data._meta))
    with dask.config.set(scheduler="synchronous"):
        scores = zscore(lazy)
        assert sum(reads) == recording.size
        scores.compute()
    assert sum(reads) == 2 * recording.size


def test_statistics_of_a_lazy_recording_hold_only_a_few_blocks():
    import dask.array as da

    def noise(block_info=None):
        (start, stop), *_ = block_info[None]["array-location"]
        return np.random.default_rng(start).random((stop - start, 5000), dtype=np.float32)

    blocks = ((50,) * 100, (5000,))
    values = da.map_blocks(noise, chunks=blocks, dtype="f4", meta=np.empty((0, 0), "f4"))
    with dask.config.set(scheduler="synchronous"):
        tracemalloc.start()
        zscore(xr.DataArray(values, dims=("time", "pixel")))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 0.15 * values.nbytes


def test_the_eager_path_makes_no_second_copy_in_double_precision():
    rng = np.random.default_rng(0)
    recording = xr.DataArray(rng.random((400, 20_000), dtype=np.float32), dims=("time", "pixel"))
    zscore(recording[:2])
    tracemalloc.start()
    zscore(recording)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.3 * recording.nbytes


@pytest.mark.parametrize("exponent", [-12, -6, 0, 6, 12])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("chunks", [None, {"time": 7}, {"time": 1, "x": 2}])
def test_constant_voxels_become_zero_at_any_scale(exponent, dtype, chunks):
    rng = np.random.default_rng(5)
    values = np.tile(rng.random((40, 40)), (1000, 1, 1))[:, :, :4] + 0.1
    values[:, 0, 0] += 1e-3 * rng.standard_normal(1000)
    recording = xr.DataArray((values * 10.0**exponent).astype(dtype)[:50], dims=("time", "y", "x"))
    recording = recording if chunks is None else recording.chunk(chunks)
    with pytest.warns(UserWarning, match="zscore: 159 of 160 voxels do not change over time"):
        scores = zscore(recording)
    scores = scores.compute()
    np.testing.assert_allclose(scores[:, 0, 0].std(), 1, rtol=1e-5)
    assert int((scores != 0).any("time").sum()) == 1


def test_rounding_noise_of_a_constant_is_constant_and_a_faint_signal_is_not():
    rng = np.random.default_rng(0)
    values = np.full((200, 3), 1234.5, dtype=np.float32)
    values[:, 0] = np.nextafter(values[:, 0], np.float32(np.inf) * rng.choice([-1, 1], 200))
    values[100, 1] *= np.float32(1 + 1e-5)
    with pytest.warns(UserWarning, match="2 of 3 voxels"):
        scores = zscore(xr.DataArray(values, dims=("time", "neuron")))
    assert (scores[:, [0, 2]] == 0).all()
    np.testing.assert_allclose(scores[:, 1].std(), 1, rtol=1e-5)


@pytest.mark.parametrize("exponent", [-12, 12])
def test_scores_do_not_depend_on_the_unit(exponent):
    scaled = zscore(power(dtype="float64", scale=10.0**exponent))
    np.testing.assert_allclose(scaled, zscore(power(dtype="float64")), rtol=1e-9, atol=1e-9)


def test_a_large_offset_costs_no_precision():
    rng = np.random.default_rng(1)
    wave = rng.standard_normal((500, 6))
    recording = xr.DataArray(wave + 1e8, dims=("time", "neuron"))
    np.testing.assert_allclose(
        zscore(recording.chunk(time=3)), (wave - wave.mean(0)) / wave.std(0), atol=1e-6
    )


@pytest.mark.parametrize("chunks", [None, {"time": 11, "y": 2}])
def test_voxels_without_any_value_stay_without(chunks):
    recording = power()
    recording[:, 1, 2, 3] = np.nan
    given = recording if chunks is None else recording.chunk(chunks)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = zscore(given).compute()
    assert scores[:, 1, 2, 3].isnull().all()
    assert int(scores.isnull().sum()) == recording.sizes["time"]
    np.testing.assert_allclose(scores[:, 0], zscore(recording[:, 0]), atol=1e-6)


@pytest.mark.parametrize("chunks", [None, {"time": 4, "y": 2}])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_isolated_values_that_are_not_finite_are_counted_and_placed(chunks, bad):
    recording = power()
    recording[:, 0, 0, 0] = np.nan
    recording[20, 1, 3, 2] = bad
    recording[10, 1, 4, 1] = bad
    recording[30, 1, 4, 1] = bad
    given = recording if chunks is None else recording.chunk(chunks)
    message = r"3 in 2 of 40 voxels, the first at time 3, z index 1, y 0\.4, x index 1.*interpolate"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=message):
            zscore(given)


def test_a_voxel_infinite_at_all_times_is_refused():
    recording = power()
    recording[:, 0, 0, 0] = np.inf
    with pytest.raises(ValueError, match="60 in 1 of 40 voxels"):
        zscore(recording)


@pytest.mark.parametrize(
    "bad", [np.zeros((3, 2)), power().to_dataset(name="power"), power().astype(bool), "recording"]
)
def test_what_is_no_recording_of_numbers_is_refused(bad):
    with pytest.raises(TypeError, match="zscore needs"):
        zscore(bad)


def test_a_missing_sample_dimension_is_named():
    with pytest.raises(ValueError, match="sample dimension 'frame'"):
        zscore(power(), sample_dim="frame")


def test_the_sample_dimension_may_have_any_name():
    scores = zscore(power().rename(time="frame"), sample_dim="frame")
    np.testing.assert_allclose(scores.std("frame"), 1, rtol=1e-6)


def test_one_time_point_is_refused():
    with pytest.raises(ValueError, match="at least two samples"):
        zscore(power()[:1])


@pytest.mark.parametrize("ddof", [-1, 0.5, "one", True])
def test_ddof_must_be_a_whole_number(ddof):
    with pytest.raises(ValueError, match="ddof must be a whole number"):
        zscore(power(), ddof=ddof)


def test_ddof_must_leave_samples():
    with pytest.raises(ValueError, match="needs more than 2 samples along 'time'"):
        zscore(power()[:2], ddof=2)


def test_a_sparse_recording_is_refused():
    sparse = pytest.importorskip("sparse")
    recording = xr.DataArray(sparse.COO(np.eye(4)), dims=("time", "neuron"))
    with pytest.raises(TypeError, match="zscore needs a dense recording"):
        zscore(recording)
    np.testing.assert_allclose(zscore(recording.as_numpy()).std("time"), 1)
