"""A matrix read part by part: passes are counted, parts come whole, and errors are the user's."""

from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import pytest

from partita._solvers.matrices import streamed
from partita._solvers.matrices.lanes import threads_here


def test_every_pass_is_counted_and_sees_every_part_once(stream, X):
    def look(part, so_far, common):
        return None, part.sum()

    _, parts = stream.run(look, None)
    assert stream.passes == 1
    assert len(parts) == len(stream.slices)
    assert sum(parts) == pytest.approx(X.sum())
    stream.run(look, None)
    assert stream.passes == 2


def test_what_lies_along_the_parts_is_cut_with_them(stream):
    along = np.arange(2.0 * stream.shape[1]).reshape(2, -1)

    def look(part, so_far, common, cut, nothing):
        assert nothing is None
        assert cut.shape == (2, part.shape[1])
        return None, cut

    _, cuts = stream.run(look, None, along, None)
    np.testing.assert_array_equal(np.hstack(cuts), along)


@pytest.mark.parametrize("threads", [1, 3])
def test_sums_do_not_depend_on_the_threads(stream, X, threads):
    def total(part, so_far, common):
        mine = np.array([part.sum()])
        return ((mine,) if so_far is None else (so_far[0] + mine,)), None

    with dask.config.set(num_workers=threads):
        assert threads_here() == threads
        (found,), _ = stream.run(total, None, rows=1)
    assert found[0] == pytest.approx(X.sum())


def test_an_error_in_a_part_reaches_the_caller_as_it_is(X):
    def broken(block):
        raise OSError("the disk is gone")

    array = da.from_array(X, chunks=(7, -1)).map_blocks(broken, dtype=X.dtype, meta=X[:0])
    stream = streamed.open_stream(array, inside=None, dtype=X.dtype)
    with pytest.raises(OSError, match="the disk is gone"):
        stream.run(lambda part, so_far, common: (None, None), None)


def test_features_outside_are_no_columns(X):
    inside = np.arange(700) % 4 > 0
    for chunks in [(7, -1), (-1, 100)]:
        stream = streamed.open_stream(
            da.from_array(X, chunks=chunks), inside=inside, dtype=np.float32
        )
        n_features = stream.shape[0] if stream.by_samples else stream.shape[1]
        assert n_features == stream.order.size == 525
        assert stream.n_samples == 30
        assert stream.dtype == np.float32


def test_what_a_survey_found_is_taken_over(stream, X):
    stream.norm2, stream.sample, stream.passes = 4.0, X[:, :3], 1
    again = streamed.open_stream(da.from_array(X, chunks=(7, -1)), inside=None, dtype=X.dtype)
    again.take_over(stream)
    assert (again.norm2, again.passes) == (4, 1)
    assert again.sample is stream.sample


def test_a_stream_draws_no_columns_after_its_survey(stream):
    with pytest.raises(NotImplementedError):
        stream.take(np.array([0]))


def test_a_product_is_rebuilt_lazily_in_blocks():
    W, H = np.random.default_rng(0).random((50, 3)), np.random.default_rng(1).random((3, 40))
    rebuilt = streamed.times(W, H)
    assert isinstance(rebuilt, da.Array)
    np.testing.assert_allclose(rebuilt.compute(scheduler="synchronous"), W @ H)
