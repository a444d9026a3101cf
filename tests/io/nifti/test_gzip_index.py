"""Random access into gzip files gives the bytes that decompressing from the start gives."""

from __future__ import annotations

import gzip
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from partita.io.nifti import gzip_index
from partita.io.nifti.gzip_index import GzipIndex, Stamp

SIZE = 3_000_000


@pytest.fixture(scope="module")
def content():
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, SIZE // 2, dtype=np.uint8)
    zeros = np.zeros(SIZE - noise.size, np.uint8)
    return np.concatenate([noise[::2], zeros, noise[1::2]]).tobytes()


@pytest.fixture(scope="module", params=["one member", "many members"])
def path(request, content, tmp_path_factory):
    cut = SIZE if request.param == "one member" else 100_001
    parts = [content[start : start + cut] for start in range(0, SIZE, cut)]
    path = tmp_path_factory.mktemp("gz") / "a.gz"
    path.write_bytes(b"".join(gzip.compress(part) for part in parts))
    return path


@pytest.fixture
def close_points(monkeypatch):
    monkeypatch.setattr(gzip_index, "_SPACING", 50_000)
    monkeypatch.setattr(gzip_index, "_OUTPUT_BLOCK", 20_000)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(places=st.lists(st.tuples(st.integers(0, SIZE), st.integers(0, SIZE)), max_size=6))
def test_reads_in_any_order_give_the_bytes_of_the_whole(path, content, close_points, places):
    index = GzipIndex(Stamp.of(str(path)), SIZE)
    for place in places:
        start, stop = sorted(place)
        assert index.read(start, stop - start) == content[start:stop]


def test_threads_that_read_at_once_get_the_same_bytes(path, content, close_points):
    index = GzipIndex(Stamp.of(str(path)), SIZE)
    starts = np.random.default_rng(1).permutation(np.arange(0, SIZE, 40_000)).tolist()
    barrier = threading.Barrier(4)

    def read(part):
        barrier.wait()
        return [index.read(start, 40_000) == content[start : start + 40_000] for start in part]

    with ThreadPoolExecutor(4) as pool:
        same = [all(answers) for answers in pool.map(read, [starts[i::4] for i in range(4)])]
    assert same == [True] * 4
    places = [point.output for point in index._points]
    assert places == sorted(set(places))


def test_a_second_read_starts_near_its_place(path, content, close_points, monkeypatch):
    index = GzipIndex(Stamp.of(str(path)), SIZE)
    index.read(SIZE - 1, 1)
    decompressed = []
    step = GzipIndex._step

    def counted(self, file, cursor, pending):
        before = cursor.output
        answer = step(self, file, cursor, pending)
        decompressed.append(cursor.output - before)
        return answer

    monkeypatch.setattr(GzipIndex, "_step", counted)
    index.read(2_000_000, 1000)
    assert sum(decompressed) <= 50_000 + 2 * 20_000 + 1000


def test_the_number_of_points_is_bounded_for_any_size(path):
    assert GzipIndex(Stamp.of(str(path)), 10**12)._spacing * gzip_index._MAX_POINTS >= 10**12


def test_the_indexes_of_the_last_used_files_are_kept(tmp_path):
    stamps = []
    for number in range(gzip_index._MAX_FILES + 3):
        path = tmp_path / f"{number}.gz"
        path.write_bytes(gzip.compress(b"recording"))
        stamps.append(Stamp.of(str(path)))
        assert gzip_index.index_of(stamps[-1], expected=9).read(0, 9) == b"recording"
    assert len(gzip_index._indexes) == gzip_index._MAX_FILES
    assert stamps[-1] in gzip_index._indexes
    assert stamps[0] not in gzip_index._indexes


def test_a_read_past_the_end_says_so(path):
    with pytest.raises(OSError, match=r"a\.gz is truncated: it ends after 3000000"):
        GzipIndex(Stamp.of(str(path)), SIZE).read(SIZE, 1)
