"""NumPy files: mapped, or read whole where they are compressed; never unpickled."""

from __future__ import annotations

import pickle
import zipfile

import numpy as np
import pytest

import partita
from partita.io.movies.npy import ArchivedArray


@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_comes_back_in_either_order(tmp_path, frames, load_numbered, order):
    np.save(tmp_path / "a.npy", np.asarray(frames, order=order))
    recording = load_numbered(tmp_path / "a.npy", chunks=5)
    assert recording.dims == ("time", "y", "x")
    assert recording.name == "a"
    np.testing.assert_array_equal(recording, frames)
    np.testing.assert_array_equal(recording[9:1:-3, 2], frames[9:1:-3, 2])


def test_big_endian_values_become_native(tmp_path, frames, load_numbered):
    np.save(tmp_path / "a.npy", frames.astype(">u2"))
    np.savez(tmp_path / "a.npz", a=frames.astype(">u2"))
    for name in ("a.npy", "a.npz"):
        recording = load_numbered(tmp_path / name)
        assert recording.dtype == np.dtype(np.uint16)
        np.testing.assert_array_equal(recording, frames)


def test_npy_is_mapped_and_not_read(tmp_path, frames, load_numbered, monkeypatch):
    np.save(tmp_path / "a.npy", frames)
    opened = []
    read = np.load
    monkeypatch.setattr(np, "load", lambda *a, **k: opened.append(k["mmap_mode"]) or read(*a, **k))
    recording = load_numbered(tmp_path / "a.npy", chunks=4)
    assert not opened
    recording[:4].compute()
    assert opened == ["r"]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_is_read_once_for_all_chunks(tmp_path, frames, load_numbered, save, monkeypatch):
    save(tmp_path / "a.npz", movie=frames, rate=30.0)
    reads = []
    whole = ArchivedArray.whole
    monkeypatch.setattr(ArchivedArray, "whole", lambda self: reads.append(1) or whole(self))
    recording = load_numbered(tmp_path / "a.npz", chunks=2)
    assert not reads
    np.testing.assert_array_equal(recording.compute(scheduler="threads"), frames)
    assert len(reads) == 1
    again = pickle.loads(pickle.dumps(recording))
    np.testing.assert_array_equal(again, frames)
    assert recording.name == "movie"


def test_arrays_of_npz_are_listed_and_chosen(tmp_path, frames, load_numbered, naming):
    path = tmp_path / "a.npz"
    np.savez(path, raw=frames, registered=2 * frames, words=np.array(["a", "b"]))
    with pytest.raises(ValueError, match=naming(path, r"2 arrays: raw \(12 x 8 x 6, uint16\)")):
        partita.load(path)
    np.testing.assert_array_equal(load_numbered(path, dataset="registered"), 2 * frames)
    with pytest.raises(ValueError, match=naming(path, "has no array 'words'")):
        partita.load(path, dataset="words")


def test_pickled_objects_are_never_unpickled(tmp_path, frames, load_numbered, naming):
    class Trap:
        def __reduce__(self):
            return pytest.fail, ("unpickled",)

    trapped = np.empty((2, 2), object)
    trapped[:] = Trap()
    np.save(tmp_path / "a.npy", trapped, allow_pickle=True)
    with pytest.raises(TypeError, match=naming(tmp_path / "a.npy", "pickled.*never unpickled")):
        partita.load(tmp_path / "a.npy")
    np.savez(tmp_path / "a.npz", trapped=trapped, movie=frames)
    with pytest.raises(TypeError, match=naming(tmp_path / "a.npz", "never unpickled")):
        partita.load(tmp_path / "a.npz", dataset="trapped")
    np.testing.assert_array_equal(load_numbered(tmp_path / "a.npz"), frames)


@pytest.mark.parametrize("kept", [20, 100, 700])
@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_files_cut_short_are_refused(tmp_path, frames, naming, name, kept):
    path = tmp_path / name
    (np.save if name == "a.npy" else np.savez)(path, frames)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises((OSError, ValueError), match=naming(path, "cut short|damaged|no such")):
        partita.load(path)


def test_damage_in_npz_is_told_when_it_is_read(tmp_path, frames, load_numbered, naming):
    path = tmp_path / "a.npz"
    np.savez(path, np.tile(frames, (1, 10, 10)))
    raw = bytearray(path.read_bytes())
    raw[-2000] ^= 255
    path.write_bytes(raw)
    with pytest.raises(OSError, match=naming(path, "damaged or truncated.*CRC")):
        load_numbered(path).compute()


def test_other_members_of_an_archive_are_passed_over(tmp_path, frames, load_numbered):
    np.savez(tmp_path / "a.npz", frames)
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("notes.txt", "nothing")
    np.testing.assert_array_equal(load_numbered(tmp_path / "a.npz"), frames)


def test_one_frame_is_at_second_zero(tmp_path, frames):
    np.save(tmp_path / "a.npy", frames[:1])
    time = partita.load(tmp_path / "a.npy").time
    assert float(time[0]) == 0
    assert time.attrs["units"] == "s"


def test_structured_values_are_refused(tmp_path, naming):
    np.save(tmp_path / "a.npy", np.zeros((3, 3), [("a", float)]))
    with pytest.raises(TypeError, match=naming(tmp_path / "a.npy", "holds real numbers")):
        partita.load(tmp_path / "a.npy")


def test_truth_values_in_an_archive_are_chosen_by_name_only(tmp_path, load_numbered):
    mask = np.ones((9, 4), bool)
    np.savez(tmp_path / "a.npz", rate=np.arange(9.0), mask=mask)
    with pytest.raises(ValueError, match=r"It holds .*mask \(9 x 4, bool\)"):
        partita.load(tmp_path / "a.npz")
    np.testing.assert_array_equal(load_numbered(tmp_path / "a.npz", dataset="mask"), mask)
    np.savez(tmp_path / "b.npz", traces=np.arange(36.0).reshape(9, 4), mask=mask)
    assert load_numbered(tmp_path / "b.npz").name == "traces"
