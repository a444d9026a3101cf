"""The first pass counts what cannot be used, and keeps the norm and a sample."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from partita._solvers.matrices.streamed import open_stream
from partita._solvers.matrices.survey import locate, survey

CUTS = {"by samples": (7, -1), "by features": (-1, 90)}


@pytest.fixture(params=CUTS.values(), ids=CUTS)
def streamed(request):
    def make(X):
        return open_stream(da.from_array(X, chunks=request.param), inside=None, dtype=X.dtype)

    return make


def look(stream):
    return survey(stream, np.arange(700), np.random.default_rng(0))


def test_the_norm_stays_with_the_stream_after_one_pass(stream, X):
    found = look(stream)
    assert stream.passes == 1
    assert stream.norm2 == pytest.approx((X**2).sum())
    assert (found.bad, found.negative) == (0, 0)
    assert found.least == X.min()
    assert not found.empty.any()


def test_what_cannot_be_used_is_counted(streamed, X):
    X[3, 4], X[5, 600], X[7, 8] = np.nan, np.inf, -2.0
    X[:, 50] = np.nan
    found = look(streamed(X))
    assert np.flatnonzero(found.empty).tolist() == [50]
    assert (found.bad, found.negative, found.least) == (2, 1, -2)


@pytest.mark.parametrize(("kind", "value"), [("bad", np.nan), ("bad", np.inf), ("negative", -1.0)])
def test_the_first_that_is_wrong_is_found_in_the_order_of_samples(streamed, X, kind, value):
    X[20, 3] = X[12, 650] = X[12, 40] = value
    assert locate(streamed(X), kind) == (12, 40)


def test_a_small_matrix_is_its_own_sample_up_to_order(stream, X):
    look(stream)
    assert stream.sample.shape == X.shape
    np.testing.assert_allclose(np.sort(stream.sample, axis=None), np.sort(X, axis=None))


def test_the_sample_is_the_same_however_the_recording_is_cut(X, monkeypatch):
    monkeypatch.setattr("partita._solvers.matrices.survey.SAMPLE", 60)
    samples = []
    for chunks in CUTS.values():
        stream = open_stream(da.from_array(X, chunks=chunks), inside=None, dtype=X.dtype)
        look(stream)
        samples.append(stream.sample)
    assert samples[0].shape == (30, 60)
    np.testing.assert_array_equal(*(sample[:, np.lexsort(sample)] for sample in samples))


def test_empty_features_are_left_out_of_the_sample(streamed, X):
    X[:, [2, 9]] = np.nan
    stream = streamed(X)
    look(stream)
    assert np.isfinite(stream.sample).all()
    assert stream.sample.shape == (30, 698)
