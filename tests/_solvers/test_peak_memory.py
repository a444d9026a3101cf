"""What a fit takes grows with what it holds, and where it streams not with the recording."""

from __future__ import annotations

import pytest

from partita._solvers import peak_memory
from partita._solvers.peak_memory import Size

SIZE = Size(n=1000, p=20_000, k=10, itemsize=4)
IN_MEMORY = {
    "Frobenius": peak_memory.of_nmf,
    "divergence": peak_memory.of_divergence,
    "linear": lambda size: peak_memory.of_linear(size, by_covariance=False, fully=False),
}


def streamed(size, *, chunk=100, threads=2, linear=False):
    whole, rest = divmod(size.n, chunk)
    samples = (chunk,) * whole + ((rest,) if rest else ())
    return peak_memory.of_streamed(size, (samples, (size.p,)), threads=threads, linear=linear)


def test_sizes_are_bytes():
    assert SIZE.data == 1000 * 20_000 * 4
    assert SIZE.factors == 10 * 21_000 * 4
    assert SIZE.rows(3) == 3 * 20_000 * 4


@pytest.mark.parametrize("budget", IN_MEMORY.values(), ids=IN_MEMORY)
@pytest.mark.parametrize("change", [{"n": 2000}, {"p": 40_000}, {"k": 20}, {"itemsize": 8}])
def test_in_memory_more_of_anything_takes_more(budget, change):
    assert sum(budget(SIZE._replace(**change))) > sum(budget(SIZE))


@pytest.mark.parametrize("budget", IN_MEMORY.values(), ids=IN_MEMORY)
def test_in_memory_samples_and_features_are_alike(budget):
    assert budget(SIZE) == budget(SIZE._replace(n=SIZE.p, p=SIZE.n))


@pytest.mark.parametrize("linear", [False, True])
def test_a_stream_works_on_parts_whatever_the_length_of_the_recording(linear):
    short, long = (streamed(SIZE._replace(n=n), linear=linear) for n in (40_000, 400_000))
    assert long.parts == pytest.approx(short.parts, rel=0.05)
    assert sum(long) < 0.2 * SIZE._replace(n=400_000).data


@pytest.mark.parametrize("linear", [False, True])
def test_a_stream_takes_more_by_larger_chunks_and_more_threads(linear):
    size = SIZE._replace(n=40_000)
    plain = streamed(size, linear=linear).parts
    assert streamed(size, chunk=2000, linear=linear).parts > plain
    assert streamed(size, threads=8, linear=linear).parts > plain


def test_smooth_factors_take_terms_for_every_entry():
    before = peak_memory.of_nmf(SIZE)
    after = peak_memory.with_smoothness(before, SIZE)
    assert after.factors - before.factors >= 8 * SIZE.k * SIZE.p
    assert after[1:] == before[1:]


def test_exact_solvers_of_large_matrices_take_more_copies():
    fully = peak_memory.of_linear(SIZE, by_covariance=False, fully=True)
    plain = peak_memory.of_linear(SIZE, by_covariance=False, fully=False)
    covariance = peak_memory.of_linear(SIZE, by_covariance=True, fully=False)
    assert fully.parts > plain.parts > covariance.parts
