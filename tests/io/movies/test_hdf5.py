"""HDF5 of no known layout: the array chosen by its path, its axes by their names."""

from __future__ import annotations

import pickle
import subprocess
import sys

import h5py
import numpy as np
import pytest
import xarray as xr

import partita
from partita.io.movies.hdf5 import Hdf5Values
from partita.io.stores.netcdf_zarr import write_dataset


def write(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name.replace("__", "/")] = values
    return path


def test_the_only_array_is_the_recording(tmp_path, frames, load_numbered):
    recording = load_numbered(write(tmp_path / "a.h5", imaging=frames))
    assert recording.dims == ("time", "y", "x")
    assert recording.dtype == np.uint16
    np.testing.assert_array_equal(recording, frames)
    assert recording.encoding["format"] == "HDF5, /imaging"


@pytest.mark.parametrize(
    ("shape", "dims"),
    [((9, 4), ("time", "neuron")), ((9, 4, 5), ("time", "y", "x")),
     ((9, 2, 4, 5), ("time", "z", "y", "x"))],
)  # fmt: skip
def test_axes_without_names_are_what_is_usual(tmp_path, load_numbered, shape, dims):
    values = np.random.default_rng(0).normal(size=shape)
    recording = load_numbered(write(tmp_path / "a.h5", a=values))
    assert recording.dims == dims
    np.testing.assert_array_equal(recording, values)


def test_five_axes_without_names_are_refused(tmp_path, naming):
    path = write(tmp_path / "a.h5", a=np.zeros((3, 2, 2, 4, 5)))
    with pytest.raises(ValueError, match=naming(path, "has 5 axes, and nothing says")):
        partita.load(path)
    named = partita.load(path, dims=("t", "c", "z", "y", "x"), frame_rate=1)
    assert named.dims == ("time", "channel", "z", "y", "x")


@pytest.mark.parametrize("order", [(1, 2, 0), (0, 1, 2), (2, 0, 1)])
def test_named_axes_give_the_same_recording_in_any_order(tmp_path, frames, order):
    names = ("time", "y", "x")
    path = write(tmp_path / "a.h5", imaging=frames.transpose(order))
    recording = partita.load(path, dims=[names[axis] for axis in order], frame_rate=10, chunks=4)
    assert recording.dims == names
    np.testing.assert_array_equal(recording, frames)
    np.testing.assert_array_equal(recording[2:9:3, ::-1, 4], frames[2:9:3, ::-1, 4])


def test_labels_of_the_axes_and_the_element_size_are_used(tmp_path):
    path = tmp_path / "a.h5"
    values = np.random.default_rng(0).integers(0, 255, (2, 5, 3, 4, 6), np.uint8)
    with h5py.File(path, "w") as file:
        array = file.create_dataset("t0", data=values)
        for dimension, label in zip(array.dims, "ctzyx", strict=True):
            dimension.label = label
        array.attrs["element_size_um"] = [4.0, 0.5, 0.25]
        array.attrs["fr"] = 8.0
    recording = partita.load(path)
    assert recording.dims == ("time", "channel", "z", "y", "x")
    np.testing.assert_array_equal(recording, values.transpose(1, 0, 2, 3, 4))
    np.testing.assert_allclose(recording.time, np.arange(5) / 8)
    for dim, step in {"z": 0.004, "y": 0.0005, "x": 0.00025}.items():
        np.testing.assert_allclose(recording[dim], step * np.arange(recording.sizes[dim]))


def test_labels_that_repeat_are_refused(tmp_path, frames, naming):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        array = file.create_dataset("a", data=frames)
        for dimension, label in zip(array.dims, "tyy", strict=True):
            dimension.label = label
    with pytest.raises(ValueError, match=naming(path, "some of them alike")):
        partita.load(path)


def test_a_movie_beside_tables_is_the_recording(tmp_path, frames, load_numbered):
    path = write(tmp_path / "a.h5", table=np.zeros((5, 5)), raw__movie=frames, rate=np.array(3.0))
    np.testing.assert_array_equal(load_numbered(path), frames)


def test_several_arrays_are_listed_and_chosen_by_path(tmp_path, frames, load_numbered, naming):
    path = write(tmp_path / "a.h5", raw__movie=frames, registered__movie=frames * 2)
    words = r"holds 2 arrays: /raw/movie \(12 x 8 x 6, uint16\); /registered/movie"
    with pytest.raises(ValueError, match=naming(path, words)):
        partita.load(path)
    for name in ("/registered/movie", "registered/movie"):
        np.testing.assert_array_equal(load_numbered(path, dataset=name), frames * 2)
    with pytest.raises(ValueError, match=naming(path, "has no array 'movie'. It holds: /raw")):
        partita.load(path, dataset="movie")


def test_a_file_without_arrays_is_refused(tmp_path, naming):
    path = write(tmp_path / "a.h5", rate=np.arange(3.0))
    with pytest.raises(ValueError, match=naming(path, "has no array with two axes or more.*/rate")):
        partita.load(path)
    with pytest.raises(ValueError, match="has no array 'a'"):
        partita.load(path, dataset="a")
    path = write(tmp_path / "b.h5", name="text")
    with pytest.raises(ValueError, match="It holds no numbers in arrays"):
        partita.load(path)


def test_only_the_frames_of_a_chunk_are_read(tmp_path, frames, load_numbered, monkeypatch):
    path = write(tmp_path / "a.h5", imaging=frames)
    asked = []
    read = Hdf5Values.read
    monkeypatch.setattr(
        Hdf5Values, "read", lambda self, slices: asked.append(slices[0]) or read(self, slices)
    )
    recording = load_numbered(path, chunks=4)
    assert recording.chunks[0] == (4, 4, 4)
    assert not asked
    np.testing.assert_array_equal(recording[5:7], frames[5:7])
    assert len(asked) == 1
    assert 4 <= asked[0].start < asked[0].stop <= 8


def test_blocks_of_the_file_are_not_cut(tmp_path, load_numbered):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("a", (64, 32, 32), np.float32, chunks=(7, 32, 32), compression="gzip")
    import dask

    with dask.config.set({"array.chunk-size": "64KiB"}):
        chunks = load_numbered(path).chunks[0]
    assert len(chunks) > 1
    assert all(size % 7 == 0 for size in chunks[:-1])


def test_a_lazy_array_may_be_pickled_and_read_by_many_threads(tmp_path, frames, load_numbered):
    recording = load_numbered(write(tmp_path / "a.h5", imaging=frames), chunks=1)
    again = pickle.loads(pickle.dumps(recording))
    xr.testing.assert_identical(again.compute(scheduler="threads", num_workers=8), recording)


# NetCDF stays what it was


def test_netcdf_is_still_read_as_it_was_saved(tmp_path, frames):
    recording = xr.DataArray(frames, dims=("trial", "y", "lag"), name="a", attrs={"b": "c"})
    partita.save(recording, tmp_path / "a.nc")
    xr.testing.assert_identical(partita.load(tmp_path / "a.nc"), recording)
    (tmp_path / "a.nc").rename(tmp_path / "a.h5")
    xr.testing.assert_identical(partita.load(tmp_path / "a.h5"), recording)


def test_netcdf_of_old_libraries_is_known_by_its_scales(tmp_path, frames):
    recording = xr.DataArray(frames, dims=("trial", "y", "lag"), name="a")
    partita.save(recording, tmp_path / "a.nc")
    with h5py.File(tmp_path / "a.nc", "a") as file:
        del file.attrs["_NCProperties"], file["partita_seal"]
    np.testing.assert_array_equal(partita.load(tmp_path / "a.nc"), recording)
    assert partita.load(tmp_path / "a.nc").dims == ("trial", "y", "lag")


def test_a_variable_of_netcdf_is_chosen_by_name(tmp_path, frames):
    both = xr.Dataset({"a": (("time", "y", "x"), frames), "b": ("time", frames[:, 0, 0])})
    path = write_dataset(both, tmp_path / "a.nc")
    np.testing.assert_array_equal(partita.load(path, dataset="b"), frames[:, 0, 0])
    with pytest.raises(ValueError, match="has no variable 'c'; it holds"):
        partita.load(path, dataset="c")
    with pytest.raises(ValueError, match="is NetCDF, which says itself what frame_rate would"):
        partita.load(path, dataset="b", frame_rate=3)


# Refusals


def test_a_file_open_for_writing_is_refused(tmp_path, frames, naming):
    path = write(tmp_path / "a.h5", imaging=frames)
    hold = "import h5py, sys; file = h5py.File(sys.argv[1], 'a'); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as writer:
        writer.stdout.readline()
        with pytest.raises(OSError, match=naming(path, "still open for writing.*h5clear -s")):
            partita.load(path)
        writer.communicate("\n")
    assert partita.load(path, frame_rate=1).sizes["time"] == 12


def test_a_file_that_its_writer_never_closed_is_refused(tmp_path, frames, naming):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver="latest") as file:
        file["imaging"] = frames
        file.swmr_mode = True
        file.flush()
        unclosed = path.read_bytes()
    path = tmp_path / "b.h5"
    path.write_bytes(unclosed)
    with pytest.raises(OSError, match=naming(path, "its writer ended without closing it")):
        partita.load(path)


def test_a_file_cut_short_is_refused(tmp_path, frames, naming):
    path = write(tmp_path / "a.h5", imaging=frames)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(OSError, match=naming(path, "damaged, truncated.*Copy or download")):
        partita.load(path)


def test_damage_within_is_told_when_it_is_read(tmp_path, frames, load_numbered, naming):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        array = file.create_dataset("a", data=frames, chunks=(4, 8, 6), compression="gzip")
        place = array.id.get_chunk_info(1).byte_offset
    raw = bytearray(path.read_bytes())
    raw[place : place + 40] = bytes(40)
    path.write_bytes(raw)
    recording = load_numbered(path, chunks=4)
    np.testing.assert_array_equal(recording[:4], frames[:4])
    with pytest.raises(OSError, match=naming(path, "damaged or truncated")):
        recording.compute()


def test_an_unknown_filter_is_refused_with_the_package_for_it(tmp_path, frames, naming):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        made.set_chunk((4, 8, 6))
        made.set_filter(32001, h5py.h5z.FLAG_OPTIONAL)  # Blosc
        space = h5py.h5s.create_simple(frames.shape)
        h5py.h5d.create(file.id, b"a", h5py.h5t.NATIVE_UINT16, space, made)
    with pytest.raises(ModuleNotFoundError, match=naming(path, "pip install hdf5plugin")):
        partita.load(path)


def test_complex_values_are_refused(tmp_path, frames, naming):
    path = write(tmp_path / "a.h5", imaging=frames.astype(complex))
    with pytest.raises(TypeError, match=naming(path, "complex128.*magnitude")):
        partita.load(path)


def test_no_frames_are_refused(tmp_path, frames, naming):
    path = write(tmp_path / "a.h5", imaging=frames[:0])
    with pytest.raises(ValueError, match=naming(path, "holds no values: sizes.*'time': 0")):
        partita.load(path)


# Links, and what is put together from other files


@pytest.fixture
def linked(tmp_path, frames):
    """Return a file whose movie is in another one, which has something else under that name."""
    with h5py.File(tmp_path / "raw.h5", "w") as raw:
        raw["movie"] = frames
        raw["only_there"] = frames + 1
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["movie"] = np.zeros((2, 8, 6))
        file["outside"] = h5py.ExternalLink("raw.h5", "/movie")
        file["elsewhere"] = h5py.ExternalLink("raw.h5", "/only_there")
        file["soft"] = h5py.SoftLink("/movie")
        file["deep/soft"] = h5py.SoftLink("/outside")
        file["second"] = file["movie"]
        file["group"] = h5py.SoftLink("/deep")
        file["nowhere"] = h5py.SoftLink("/nothing")
        file["circle"] = h5py.SoftLink("/circle")
        file["missing"] = h5py.ExternalLink("lost.h5", "/movie")
        file["unnamed"] = h5py.ExternalLink("raw.h5", "/nothing")
    return tmp_path / "a.h5"


@pytest.mark.parametrize("name", ["outside", "deep/soft", "/group/soft", "deep/soft/"])
def test_an_external_link_gives_what_it_leads_to(linked, frames, load_numbered, name):
    np.testing.assert_array_equal(load_numbered(linked, dataset=name), frames)


@pytest.mark.parametrize(
    ("name", "value"), [("elsewhere", None), ("soft", 0), ("second", 0), ("movie", 0)]
)
def test_an_array_is_found_under_each_of_its_names(linked, frames, load_numbered, name, value):
    found = load_numbered(linked, dataset=name).values
    np.testing.assert_array_equal(found, frames + 1 if value is None else np.zeros((2, 8, 6)))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing", "takes values from lost.h5, and there is no such file"),
        ("nowhere", "link to /nothing, and there is nothing"),
        ("unnamed", "raw.h5 is linked to, and has no /nothing"),
        ("circle", "circle"),
    ],
)
def test_a_link_that_leads_nowhere_says_what_is_missing(linked, name, words):
    with pytest.raises(OSError, match=words):
        partita.load(linked, dataset=name)


def test_an_array_of_several_names_is_one(tmp_path, frames, load_numbered):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["movie"] = frames
        file["again"] = file["movie"]
        file["soft"] = h5py.SoftLink("/movie")
        file.create_group("self")["up"] = file["/"]
    np.testing.assert_array_equal(load_numbered(tmp_path / "a.h5"), frames)


@pytest.mark.parametrize("lost", ["file", "array"])
def test_a_virtual_data_set_without_its_source_is_not_read_as_zeros(tmp_path, frames, lost):
    for number in range(2):
        with h5py.File(tmp_path / f"part{number}.h5", "w") as part:
            part["movie"] = frames
    with h5py.File(tmp_path / "a.h5", "w") as file:
        layout = h5py.VirtualLayout((24, 8, 6), frames.dtype)
        for number in range(2):
            layout[12 * number : 12 * number + 12] = h5py.VirtualSource(
                f"part{number}.h5", "movie", frames.shape
            )
        file.create_virtual_dataset("movie", layout)
    recording = partita.load(tmp_path / "a.h5", frame_rate=1)
    np.testing.assert_array_equal(recording[12:], frames)
    if lost == "array":
        with h5py.File(tmp_path / "part1.h5", "a") as part:
            del part["movie"]
    else:
        (tmp_path / "part1.h5").unlink()
    for read in (recording.compute, lambda: partita.load(tmp_path / "a.h5")):
        with pytest.raises(OSError, match=r"part1\.h5"):
            read()


def of_numbered(path, frames, file_name="part%b.h5", name="movie"):
    """Make a virtual data set of as many blocks of frames as there are numbered sources."""
    endless, block = h5py.h5s.UNLIMITED, frames.shape
    created = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    space = h5py.h5s.create_simple(block, (endless, *block[1:]))
    space.select_hyperslab((0, 0, 0), (endless, 1, 1), (block[0], 1, 1), block)
    created.set_virtual(space, file_name.encode(), name.encode(), h5py.h5s.create_simple(block))
    with h5py.File(path, "w") as file:
        space = h5py.h5s.create_simple(block, (endless, *block[1:]))
        h5py.h5d.create(file.id, b"movie", h5py.h5t.NATIVE_DOUBLE, space, dcpl=created)


@pytest.fixture
def parts(tmp_path, frames):
    for number in range(3):
        with h5py.File(tmp_path / f"part{number}.h5", "w") as part:
            part["movie"] = frames + 1000 * number
    return tmp_path


def test_numbered_sources_are_read_in_order(parts, frames, load_numbered):
    of_numbered(parts / "a.h5", frames)
    whole = np.concatenate([frames + 1000 * number for number in range(3)])
    np.testing.assert_array_equal(load_numbered(parts / "a.h5"), whole)


def test_a_gap_in_the_numbers_of_sources_is_said(parts, frames):
    of_numbered(parts / "a.h5", frames)
    (parts / "part1.h5").unlink()
    with pytest.raises(OSError, match=r"takes values from part1\.h5, and there is no such file"):
        partita.load(parts / "a.h5")


def test_a_gap_in_the_numbers_of_data_sets_is_said(tmp_path, frames, naming):
    with h5py.File(tmp_path / "parts.h5", "w") as file:
        file["deep/0"], file["deep/2"] = frames, frames
    of_numbered(tmp_path / "a.h5", frames, "parts.h5", "/deep/%b")
    with pytest.raises(OSError, match=r"parts\.h5 is linked to, and has no /deep/1"):
        partita.load(tmp_path / "a.h5")


def test_numbered_sources_lie_inside_the_folder_or_are_refused(parts, frames, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("private") / "own.h5"
    (parts / "part2.h5").rename(elsewhere)
    (parts / "part2.h5").symlink_to(elsewhere)
    of_numbered(parts / "a.h5", frames)
    with pytest.raises(PermissionError, match=r"part2\.h5, outside its own folder"):
        partita.load(parts / "a.h5")
    assert partita.load(parts / "a.h5", allow_external=True, frame_rate=1).sizes["time"] == 36


@pytest.mark.parametrize("place", ["beside", "named in full"])
def test_a_percent_sign_in_the_name_of_a_source_is_no_number(tmp_path, frames, place):
    source = "50%b of %0.h5"
    with h5py.File(tmp_path / "50%3 of %0.h5", "w") as file:
        file["movie"] = frames
    whole = str(tmp_path / source) if place == "named in full" else source
    of_numbered(tmp_path / "a.h5", frames, whole.replace("50%", "50%%%").replace("of %", "of %%"))
    with pytest.raises(OSError, match=r"50%0 of %0\.h5"):
        partita.load(tmp_path / "a.h5")


def made_of(path, frames, places, *, fill=None):
    layout = h5py.VirtualLayout((24, 8, 6), frames.dtype)
    for place in places:
        layout[place] = h5py.VirtualSource("part0.h5", "movie", frames.shape)
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("movie", layout, fillvalue=fill)


HOLES = {
    "the end": [np.s_[:12]],
    "the beginning": [np.s_[12:]],
    "the middle": [np.s_[:6], np.s_[18:]],
    "every other frame": [np.s_[::2]],
}


@pytest.mark.parametrize("places", HOLES.values(), ids=HOLES)
def test_parts_of_a_virtual_data_set_without_a_source_are_not_read_as_zeros(parts, frames, places):
    with h5py.File(parts / "part0.h5", "a") as file:
        kept = 12 // len(places)
        del file["movie"]
        file["movie"] = frames[:kept]
    made_of(parts / "a.h5", frames[:kept], places)
    with pytest.raises(OSError, match=r"576 of the 1152 values of /movie are in none of them"):
        partita.load(parts / "a.h5")


def test_parts_without_a_source_may_be_missing_by_name(parts, frames):
    with h5py.File(parts / "part0.h5", "w") as file:
        file["movie"] = frames.astype(float)
    made_of(parts / "a.h5", frames.astype(float), [np.s_[:12]], fill=np.nan)
    recording = partita.load(parts / "a.h5", frame_rate=1)
    np.testing.assert_array_equal(recording[:12], frames)
    assert recording[12:].isnull().all()


def test_sources_that_take_turns_leave_nothing_out(parts, frames):
    made_of(parts / "a.h5", frames, [np.s_[::2], np.s_[1::2]])
    recording = partita.load(parts / "a.h5", frame_rate=1)
    np.testing.assert_array_equal(recording[1::2], frames)


def test_a_source_that_became_shorter_is_said(parts, frames):
    made_of(parts / "a.h5", frames, [np.s_[:12], np.s_[12:]])
    with h5py.File(parts / "part0.h5", "w") as file:
        file["movie"] = frames[:7]
    with pytest.raises(OSError, match=r"movie in part0\.h5, which has not the sizes.*\(7, 8, 6\)"):
        partita.load(parts / "a.h5")


@pytest.mark.parametrize("kept", [None, 0, 100])
def test_values_in_a_file_beside_are_whole_or_refused(tmp_path, frames, monkeypatch, kept):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        raw = [("raw.bin", 0, frames.nbytes)]
        file.create_dataset("movie", frames.shape, frames.dtype, external=raw)
    (tmp_path / "raw.bin").write_bytes(frames.tobytes()[:kept])
    monkeypatch.chdir("/")
    if kept is None:
        found = partita.load(tmp_path / "a.h5", frame_rate=1)
        np.testing.assert_array_equal(found, frames)
        return
    with pytest.raises(OSError, match=r"raw\.bin"):
        partita.load(tmp_path / "a.h5")


@pytest.mark.parametrize(
    ("source", "words"),
    [("lost", "is made of /lost in itself, which is not there"), ("movie", "made of each other")],
)
def test_a_virtual_data_set_of_the_file_itself_is_whole_or_refused(
    tmp_path, frames, source, words, naming
):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        layout = h5py.VirtualLayout(frames.shape, frames.dtype)
        layout[:] = h5py.VirtualSource(".", f"/{source}", frames.shape)
        file.create_virtual_dataset("movie", layout)
    with pytest.raises(OSError, match=words):
        partita.load(path)
