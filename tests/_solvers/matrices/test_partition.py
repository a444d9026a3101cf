"""A dask array is cut into parts along whichever side makes them smaller, and nothing is lost."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from partita._solvers.matrices import partition


@pytest.fixture
def cube():
    return np.random.default_rng(0).random((24, 6, 5))


@pytest.fixture(autouse=True)
def every_chunk_a_part(monkeypatch):
    monkeypatch.setattr(partition, "PART_BYTES", 0)


@pytest.mark.parametrize(
    ("chunks", "by_samples"),
    [((4, 6, 5), True), ((24, 2, 5), False), ((12, 2, 2), False), ((2, 3, 3), True)],
)
def test_the_side_that_makes_smaller_parts_is_taken(cube, chunks, by_samples):
    found, n_bytes = partition.part_of(da.from_array(cube, chunks=chunks).chunks, 8)
    assert found is by_samples
    assert n_bytes == (chunks[0] * 30 if by_samples else 24 * chunks[1] * chunks[2]) * 8


@pytest.mark.parametrize("inside", [None, np.arange(30) % 3 > 0], ids=["all", "some"])
@pytest.mark.parametrize("chunks", [(5, 6, 5), (5, 2, 3)])
def test_parts_along_samples_are_the_matrix_turned(cube, chunks, inside):
    parts, slices = partition.by_samples(da.from_array(cube, chunks=chunks), inside, np.float64)
    kept = slice(None) if inside is None else inside
    whole = np.hstack([part.compute(scheduler="synchronous") for part in parts])
    np.testing.assert_array_equal(whole, cube.reshape(24, 30)[:, kept].T)
    assert [part.stop for part in slices] == [5, 10, 15, 20, 24]


@pytest.mark.parametrize("kept", [np.ones(30, bool), np.arange(30) % 3 > 0], ids=["all", "some"])
@pytest.mark.parametrize("chunks", [(24, 2, 5), (24, 4, 2), (7, 4, 2)])
def test_parts_along_features_are_the_matrix_in_the_order_told(cube, chunks, kept):
    array = da.from_array(cube, chunks=chunks)
    parts, slices, order = partition.by_features(array, kept, np.float64)
    whole = np.hstack([part.compute(scheduler="synchronous") for part in parts])
    np.testing.assert_array_equal(whole, cube.reshape(24, 30)[:, kept][:, order])
    assert sorted(order) == list(range(kept.sum()))
    assert slices[-1].stop == order.size


def test_a_chunk_with_nothing_inside_is_no_part(cube):
    kept = np.zeros((6, 5), bool)
    kept[4:] = True
    array = da.from_array(cube, chunks=(24, 2, 5))
    parts, slices, _ = partition.by_features(array, kept.ravel(), np.float64)
    assert len(parts) == len(slices) == 1


def test_small_chunks_are_read_together(cube, monkeypatch):
    monkeypatch.setattr(partition, "PART_BYTES", 8 * 30 * 10)
    parts, slices = partition.by_samples(da.from_array(cube, chunks=(4, 6, 5)), None, np.float64)
    assert [part.stop - part.start for part in slices] == [8, 8, 8]
    assert len(parts) == 3
