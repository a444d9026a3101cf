"""What the sources of a virtual data set leave out is counted to the value."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from partita.io.hdf5_coverage import covered, n_uncovered

SHAPE = (7, 5, 4)


def mapping_of(boxes):
    """Return a mapping of boxes of runs (start, stride, count, block) of a data set."""
    space = h5py.h5s.create_simple(SHAPE)
    for number, box in enumerate(boxes):
        mode = h5py.h5s.SELECT_OR if number else h5py.h5s.SELECT_SET
        start, stride, count, block = zip(*box, strict=True)
        space.select_hyperslab(start, count, stride, block, mode)
    return h5py._hl.vds.VDSmap(space, "a.h5", "a", space)


def drawn(rng):
    """Return a run within each axis."""
    for size in SHAPE:
        block, gap = rng.integers(1, 3), rng.integers(0, 2)
        count = rng.integers(1, 1 + max(1, size // (block + gap)))
        last = (count - 1) * (block + gap) + block
        yield rng.integers(0, max(1, size - last + 1)), block + gap, count, min(block, size)


@pytest.mark.parametrize("seed", range(40))
def test_values_in_no_region_are_counted(seed):
    rng = np.random.default_rng(seed)
    filled, regions = np.zeros(SHAPE, bool), []
    for _ in range(rng.integers(1, 4)):
        boxes = [list(drawn(rng)) for _ in range(rng.integers(1, 3))]
        regions += covered(mapping_of(boxes), [SHAPE], SHAPE)
        for box in boxes:
            places = [
                [start + stride * i + j for i in range(count) for j in range(block)]
                for start, stride, count, block in box
            ]
            filled[np.ix_(*places)] = True
    assert n_uncovered(regions, SHAPE) == np.count_nonzero(~filled)


def test_a_data_set_without_values_leaves_nothing_out():
    assert n_uncovered([], (0, 5, 4)) == 0
    assert n_uncovered([], SHAPE) == 140
