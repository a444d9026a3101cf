"""Several files as one movie, in the order in which people count."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

import partita
from partita.io.lazy_array import Joined

tifffile = pytest.importorskip("tifffile")


def write(folder, frames, *, name="run{}.tif", pieces=((2, 0, 5), (10, 5, 9), (1, None, None))):
    """Write runs 1, 2 and 10, which hold the frames in that order."""
    bounds = {1: (0, 4), 2: (4, 9), 10: (9, 12)}
    for number, (start, stop) in bounds.items():
        path = folder / name.format(number)
        values = frames[start:stop]
        if path.suffix == ".tif":
            about = {"axes": "TYX", "finterval": 0.5}
            tifffile.imwrite(path, values, imagej=True, metadata=about)
        else:
            np.save(path, values)
    return [folder / name.format(number) for number in bounds]


def test_a_folder_of_stacks_is_joined_in_natural_order(tmp_path, frames):
    write(tmp_path, frames)
    (tmp_path / "notes.txt").write_text("nothing", encoding="utf-8")
    (tmp_path / "._run1.tif").write_text("what macOS leaves", encoding="utf-8")
    recording = partita.load(tmp_path)
    np.testing.assert_array_equal(recording, frames)
    np.testing.assert_allclose(recording.time, 0.5 * np.arange(12))


def test_a_pattern_is_joined_in_natural_order(tmp_path, frames):
    write(tmp_path, frames)
    np.testing.assert_array_equal(partita.load(str(tmp_path / "run*.tif")), frames)
    with pytest.raises(FileNotFoundError, match=r"no file that fits .*walk\*\.tif"):
        partita.load(tmp_path / "walk*.tif")


def test_a_list_is_joined_in_natural_order_and_says_so(tmp_path, frames):
    paths = write(tmp_path, frames)
    np.testing.assert_array_equal(partita.load(paths), frames)
    with pytest.warns(UserWarning, match=r"natural order \(run1.tif, run2.tif, .*concat"):
        recording = partita.load(sorted(str(path) for path in paths))
    np.testing.assert_array_equal(recording, frames)


def test_files_of_one_frame_each_are_frames(tmp_path, frames):
    for number, frame in enumerate(frames):
        tifffile.imwrite(tmp_path / f"frame{number}.tif", frame)
    recording = partita.load(tmp_path, frame_rate=4, chunks=5)
    assert recording.dims == ("time", "y", "x")
    assert recording.chunks[0] == (5, 5, 2)
    np.testing.assert_array_equal(recording, frames)
    np.testing.assert_allclose(recording.time, np.arange(12) / 4)


def test_numbers_go_on_where_no_file_says_the_rate(tmp_path, frames, load_numbered):
    write(tmp_path, frames, name="run{}.npy")
    recording = load_numbered(tmp_path / "*.npy")
    np.testing.assert_array_equal(recording.time, np.arange(12))
    recording = partita.load(tmp_path / "*.npy", frame_rate=8, pixel_size=(0.1, 0.2))
    np.testing.assert_allclose(recording.time, np.arange(12) / 8)
    np.testing.assert_allclose(recording.x, 0.2 * np.arange(6))


def test_frames_last_are_joined_along_their_time(tmp_path, frames):
    paths = []
    for number, part in enumerate((frames[:5], frames[5:])):
        paths.append(tmp_path / f"{number}.h5")
        with h5py.File(paths[-1], "w") as file:
            file["a"] = part.transpose(1, 2, 0)
    recording = partita.load(paths, dims=("y", "x", "time"), frame_rate=1, chunks=3)
    np.testing.assert_array_equal(recording, frames)


def with_times(path, frames, times):
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.7.0"
        group = file.create_group("acquisition/movie")
        group.attrs["neurodata_type"] = "OnePhotonSeries"
        group["data"], group["timestamps"] = frames, times
    return path


def test_times_that_begin_anew_go_on_and_later_ones_are_kept(tmp_path, frames):
    first = with_times(tmp_path / "1.nwb", frames[:4], [1.0, 1.1, 1.2, 1.3])
    anew = with_times(tmp_path / "2.nwb", frames[4:7], [0.0, 0.1, 0.2])
    later = with_times(tmp_path / "3.nwb", frames[7:9], [9.0, 9.1])
    recording = partita.load([first, anew, later])
    np.testing.assert_allclose(recording.time, [1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 9, 9.1])


def test_a_chunk_reads_only_the_files_it_needs(tmp_path, frames):
    paths = write(tmp_path, frames)
    recording = partita.load(paths, chunks=4)
    for path in paths[1:]:
        path.unlink()
    np.testing.assert_array_equal(recording[:4], frames[:4])
    with pytest.raises(FileNotFoundError, match=r"run2\.tif"):
        recording[4:8].compute()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_joined_arrays_slice_as_one(frames, axis):
    parts = np.split(frames, [2, 3], axis=axis)
    joined = Joined(parts, axis)
    assert joined.shape == frames.shape
    rng = np.random.default_rng(axis)
    for _ in range(60):
        bounds = rng.integers(-8, 9, (3, 2))
        steps = rng.choice([-3, -2, -1, 1, 2, 3], 3)
        key = tuple(
            slice(*map(int, pair), int(step)) for pair, step in zip(bounds, steps, strict=True)
        )
        np.testing.assert_array_equal(joined[key], frames[key])
    np.testing.assert_array_equal(joined[3, -1], frames[3, -1])


# Refusals


@pytest.mark.parametrize(
    ("other", "about", "words"),
    [
        ((5, 8, 7), {"finterval": 0.5}, r"run3.tif has frames \{'y': 8, 'x': 7\} of uint16"),
        ((5, 8, 6), {"finterval": 0.6}, r"run3.tif has a frame every 0\.6 s"),
        ((5, 8, 6), {"finterval": 0.5, "unit": "um"}, "run3.tif has pixels of"),
    ],
)
def test_files_that_are_not_alike_are_refused(tmp_path, frames, other, about, words):
    write(tmp_path, frames)
    tifffile.imwrite(
        tmp_path / "run3.tif",
        np.zeros(other, np.uint16),
        imagej=True,
        resolution=(2, 2),
        metadata={"axes": "TYX", **about},
    )
    with pytest.raises(ValueError, match=rf"must be alike: .*{words}"):
        partita.load(tmp_path)


def test_files_of_other_types_are_refused_but_for_what_the_user_says(tmp_path, frames):
    np.save(tmp_path / "1.npy", frames)
    np.save(tmp_path / "2.npy", frames.astype(float))
    with pytest.raises(ValueError, match=r"2\.npy has frames .* of float64, .* of uint16"):
        partita.load(tmp_path / "*.npy", frame_rate=1)


def test_times_of_some_files_only_are_refused(tmp_path, frames):
    first = with_times(tmp_path / "1.nwb", frames[:4], [0.0, 0.1, 0.2, 0.3])
    second = with_times(tmp_path / "2.nwb", frames[4:], np.arange(8.0))
    with h5py.File(second, "a") as file:
        del file["acquisition/movie/timestamps"]
    with pytest.raises(ValueError, match=r"2\.nwb does not say when its frames were taken"):
        partita.load([first, second])
    assert partita.load([first, second], frame_rate=5).sizes["time"] == 12


def test_lists_that_are_no_movies_are_refused(tmp_path, frames):
    with pytest.raises(ValueError, match="empty list"):
        partita.load([])
    with pytest.raises(IsADirectoryError, match="a list names files"):
        partita.load([tmp_path])
    with pytest.raises(FileNotFoundError, match="no file"):
        partita.load([tmp_path / "none.tif"])
    paths = [partita.datasets.sample_path()] * 2
    with pytest.raises(ValueError, match=r"joins movies.*NIfTI.*xarray.concat"):
        partita.load(paths)
    (tmp_path / "runs.tif").mkdir()
    with pytest.raises(IsADirectoryError, match=r"runs\.tif is a folder.*Narrow the pattern"):
        partita.load(tmp_path / "*.tif")
    with pytest.raises(TypeError, match="list"):
        partita.load([frames, frames])


# Files of a single frame


@pytest.mark.parametrize("sizes", [(5, 6, 1), (1, 5, 6), (1, 1, 10), (5, 1, 6), (1, 11)])
@pytest.mark.parametrize("kind", ["plain", "imagej", "ome"])
@pytest.mark.parametrize("dims", [None, ("time", "y", "x")])
def test_a_file_of_one_frame_among_others_is_one_time(tmp_path, frames, sizes, kind, dims):
    place = 0
    for number, size in enumerate(sizes):
        values = frames[place : place + size]
        values = values[0] if size == 1 else values
        how = {
            "plain": {},
            "imagej": {"imagej": True, "metadata": {"axes": "TYX", "finterval": 0.5}},
            "ome": {"ome": True, "metadata": {"axes": "TYX", "TimeIncrement": 0.5}},
        }[kind]
        if size == 1:
            how.pop("metadata", None)
        path = tmp_path / f"run{number}{'.ome' if kind == 'ome' else ''}.tif"
        tifffile.imwrite(path, values, photometric="minisblack", **how)
        place += size
    rate = {"frame_rate": 2} if kind == "plain" else {}
    recording = partita.load(tmp_path, dims=dims, chunks=3, **rate)
    assert recording.dims == ("time", "y", "x")
    np.testing.assert_array_equal(recording, frames[:place])
    np.testing.assert_array_equal(recording[4:8, 2], frames[4:8, 2])
    np.testing.assert_allclose(recording.time, 0.5 * np.arange(place))


def test_one_frame_with_planes_is_one_volume(tmp_path):
    volumes = np.arange(5 * 3 * 4 * 2, dtype=np.uint16).reshape(5, 3, 4, 2)
    about = {"axes": "TZYX", "finterval": 0.5}
    tifffile.imwrite(tmp_path / "a.tif", volumes[:4], imagej=True, metadata=about)
    tifffile.imwrite(tmp_path / "b.tif", volumes[4], imagej=True, metadata={"axes": "ZYX"})
    recording = partita.load(tmp_path)
    assert recording.dims == ("time", "z", "y", "x")
    np.testing.assert_array_equal(recording, volumes)


# Sets of OME-TIFF, whose files name each other


def ome_set(folder, frames, *, n_files=2, kind="all"):
    """Write a set; of its files all describe it, or the first does and the others point to it."""
    names = [f"a_{number}.ome.tif" for number in range(n_files)]
    each = len(frames) // n_files
    uuid = "urn:uuid:{:08d}-0000-0000-0000-000000000000"
    blocks = "".join(
        f'<TiffData FirstT="{each * number + t}" IFD="{t}" PlaneCount="1">'
        f'<UUID FileName="{name}">{uuid.format(number)}</UUID></TiffData>'
        for number, name in enumerate(names)
        for t in range(each)
    )
    for number, name in enumerate(names):
        body = (
            '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" '
            f'SizeX="6" SizeY="8" SizeZ="1" SizeC="1" SizeT="{each * n_files}" '
            'TimeIncrement="0.5"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>'
            f"{blocks}</Pixels></Image>"
        )
        if number and kind == "pointers":
            body = f'<BinaryOnly MetadataFile="{names[0]}" UUID="{uuid.format(0)}"/>'
        xml = (
            '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/'
            f'Schemas/OME/2016-06" UUID="{uuid.format(number)}">{body}</OME>'
        )
        xml = None if number and kind == "plain" else xml
        values = frames[each * number : each * (number + 1)]
        with tifffile.TiffWriter(folder / name) as writer:
            for t, frame in enumerate(values):
                description = xml if t == 0 else None
                writer.write(frame, contiguous=False, metadata=None, description=description)
    return [folder / name for name in names]


@pytest.mark.parametrize("kind", ["all", "pointers", "plain"])
@pytest.mark.parametrize("n_files", [2, 4])
@pytest.mark.parametrize("given", ["folder", "pattern", "list", "falling", "first", "last"])
def test_each_frame_of_a_set_is_there_once_whichever_files_are_named(
    tmp_path, frames, kind, n_files, given
):
    paths = ome_set(tmp_path, frames, n_files=n_files, kind=kind)
    source = {
        "folder": tmp_path, "pattern": str(tmp_path / "*.tif"), "list": paths,
        "falling": paths[:1] + paths[2:], "first": paths[0], "last": paths[-1:],
    }[given]  # fmt: skip
    if given == "last" and kind == "plain":
        pytest.skip("that file tells of no other")
    recording = partita.load(source, chunks=5)
    np.testing.assert_array_equal(recording, frames)
    np.testing.assert_allclose(recording.time, 0.5 * np.arange(12))


def test_two_sets_are_joined_set_by_set(tmp_path, frames):
    for number in range(2):
        (tmp_path / f"{number}").mkdir()
        ome_set(tmp_path / f"{number}", frames + number)
    recording = partita.load(str(tmp_path / "*" / "*.tif"))
    np.testing.assert_array_equal(recording, np.concatenate([frames, frames + 1]))


@pytest.mark.parametrize("kind", ["all", "pointers", "plain"])
def test_the_files_that_a_set_lacks_are_named(tmp_path, frames, kind):
    paths = ome_set(tmp_path, frames, n_files=4, kind=kind)
    for path in paths[1:3]:
        path.unlink()
    for source in (tmp_path, paths[0]):
        with pytest.raises(OSError, match=r"missing beside it: a_1\.ome\.tif, a_2\.ome\.tif are"):
            partita.load(source)


def test_the_file_that_describes_a_set_is_named_where_it_is_missing(tmp_path, frames):
    paths = ome_set(tmp_path, frames, kind="pointers")
    paths[0].unlink()
    with pytest.raises(OSError, match=r"a_0\.ome\.tif describes, and that is missing"):
        partita.load(tmp_path)
