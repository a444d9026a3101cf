"""Arrays that a thread fills over and over: the same memory for the same name, none shared."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from partita._solvers.compute.scratch import Scratch


def test_a_name_keeps_its_memory_from_one_piece_of_work_to_the_next():
    scratch = Scratch()
    first = scratch.take("sums", (4, 5), float)
    first[...] = 3
    again = scratch.take("sums", (2, 5), float)
    assert np.shares_memory(first, again)
    assert (again == 3).all()


@pytest.mark.parametrize(("shape", "dtype"), [((40, 5), "f8"), ((4, 5), "f4")])
def test_what_does_not_fit_is_made_anew(shape, dtype):
    scratch = Scratch()
    first = scratch.take("sums", (4, 5), float)
    other = scratch.take("sums", shape, dtype)
    assert (other.shape, other.dtype) == (shape, np.dtype(dtype))
    assert other.flags.c_contiguous
    assert not np.shares_memory(first, other)


def test_neither_names_nor_threads_share_memory():
    scratch = Scratch()
    mine = scratch.take("sums", (8,), float)
    assert not np.shares_memory(mine, scratch.take("means", (8,), float))
    with ThreadPoolExecutor(1) as other:
        theirs = other.submit(scratch.take, "sums", (8,), float).result()
    assert not np.shares_memory(mine, theirs)


def test_an_empty_array_is_an_array():
    assert Scratch().take("none", (0, 3), float).shape == (0, 3)
