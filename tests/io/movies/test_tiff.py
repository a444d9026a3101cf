"""TIFF stacks: pages, ImageJ, OME, ScanImage; read back as they were written."""

from __future__ import annotations

import pickle
import sys

import numpy as np
import pytest
import xarray as xr

import partita

tifffile = pytest.importorskip("tifffile")


def write_pages(path, frames, **options):
    """Write each frame as a page of its own, so that pages are scattered in the file."""
    with tifffile.TiffWriter(path) as writer:
        for frame in frames:
            writer.write(frame, contiguous=False, metadata=None, **options)
    return path


def test_a_stack_of_pages_comes_back_as_time_y_x(tmp_path, frames, load_numbered):
    path = write_pages(tmp_path / "a.tif", frames)
    recording = load_numbered(path)
    assert recording.dims == ("time", "y", "x")
    assert recording.dtype == np.uint16
    np.testing.assert_array_equal(recording, frames)
    np.testing.assert_array_equal(recording.time, np.arange(12))
    assert recording.time.attrs["units"] == "1"
    assert recording.name == "a"
    assert "y" not in recording.coords


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"metadata": None},
        {"bigtiff": True},
        {"byteorder": ">"},
        {"compression": "zlib"},
        {"compression": "zlib", "predictor": True},
        {"rowsperstrip": 3},
        {"compression": "zlib", "tile": (16, 16)},
    ],
)
def test_however_a_stack_is_stored_its_values_come_back(tmp_path, frames, load_numbered, options):
    tifffile.imwrite(tmp_path / "a.tif", frames, photometric="minisblack", **options)
    recording = load_numbered(tmp_path / "a.tif", chunks=5)
    assert recording.dtype == np.dtype(np.uint16)
    np.testing.assert_array_equal(recording, frames)
    np.testing.assert_array_equal(recording[7:2:-2, 1:6:2, 3], frames[7:2:-2, 1:6:2, 3])
    np.testing.assert_array_equal(load_numbered(tmp_path / "a.tif", chunks=None), frames)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_the_type_of_the_values_is_kept(tmp_path, frames, load_numbered, dtype):
    tifffile.imwrite(tmp_path / "a.tif", frames.astype(dtype), photometric="minisblack")
    recording = load_numbered(tmp_path / "a.tif")
    assert recording.dtype == dtype
    np.testing.assert_array_equal(recording, frames.astype(dtype))


def test_half_precision_and_truth_values_become_what_is_worked_with(tmp_path, load_numbered):
    values = np.random.default_rng(0).normal(size=(4, 8, 6)) > 0
    tifffile.imwrite(tmp_path / "a.tif", values.astype(np.float16), photometric="minisblack")
    np.save(tmp_path / "b.npy", values)
    assert load_numbered(tmp_path / "a.tif").dtype == np.float32
    assert load_numbered(tmp_path / "b.npy").dtype == np.uint8
    np.testing.assert_array_equal(load_numbered(tmp_path / "b.npy"), values)


def test_one_image_is_y_x(tmp_path, frames):
    tifffile.imwrite(tmp_path / "a.tif", frames[0])
    recording = partita.load(tmp_path / "a.tif", pixel_size=0.01)
    assert recording.dims == ("y", "x")
    np.testing.assert_array_equal(recording, frames[0])


def test_colours_are_channels(tmp_path, frames, load_numbered):
    colours = np.stack([frames, frames // 2, frames // 4], axis=-1)
    tifffile.imwrite(tmp_path / "a.tif", colours, photometric="rgb")
    recording = load_numbered(tmp_path / "a.tif")
    assert recording.dims == ("time", "channel", "y", "x")
    np.testing.assert_array_equal(recording.isel(channel=1), frames // 2)


# Metadata


def test_imagej_says_times_and_pixel_sizes(tmp_path):
    values = np.arange(5 * 3 * 2 * 8 * 6, dtype=np.uint16).reshape(5, 3, 2, 8, 6)
    tifffile.imwrite(
        tmp_path / "a.tif",
        values,
        imagej=True,
        resolution=(1 / 0.5, 1 / 0.8),  # pixels per unit along x and y
        metadata={"axes": "TZCYX", "finterval": 0.25, "unit": "um", "spacing": 4.0},
    )
    recording = partita.load(tmp_path / "a.tif")
    assert recording.dims == ("time", "channel", "z", "y", "x")
    np.testing.assert_array_equal(recording, values.transpose(0, 2, 1, 3, 4))
    np.testing.assert_allclose(recording.time, 0.25 * np.arange(5))
    np.testing.assert_allclose(recording.z, 0.004 * np.arange(3))
    np.testing.assert_allclose(recording.y, 0.0008 * np.arange(8), rtol=1e-6)
    np.testing.assert_allclose(recording.x, 0.0005 * np.arange(6), rtol=1e-6)
    assert recording.x.attrs["units"] == "mm"
    assert recording.time.attrs["units"] == "s"
    assert recording.encoding["format"] == "ImageJ TIFF"


def test_imagej_times_in_milliseconds_and_as_a_rate(tmp_path, frames):
    about = {"axes": "TYX", "finterval": 40.0, "tunit": "ms"}
    tifffile.imwrite(tmp_path / "a.tif", frames, imagej=True, metadata=about)
    assert float(partita.load(tmp_path / "a.tif").time[1]) == pytest.approx(0.04)
    tifffile.imwrite(tmp_path / "a.tif", frames, imagej=True, metadata={"axes": "TYX", "fps": 20})
    assert float(partita.load(tmp_path / "a.tif").time[1]) == pytest.approx(0.05)


@pytest.mark.parametrize(("unit", "second"), [("minutes", 30.0), ("hours", 1800.0), ("min", 30.0)])
def test_imagej_intervals_may_be_in_any_unit_of_time(tmp_path, frames, unit, second):
    about = {"axes": "TYX", "finterval": 0.5, "tunit": unit}
    tifffile.imwrite(tmp_path / "a.tif", frames, imagej=True, metadata=about)
    assert float(partita.load(tmp_path / "a.tif").time[1]) == pytest.approx(second)


@pytest.mark.parametrize("unit", ["inch", "cm", "pixel"])
def test_resolutions_of_printing_are_no_pixel_sizes(tmp_path, frames, unit):
    about = {"axes": "TYX", "finterval": 0.1, "unit": unit}
    tifffile.imwrite(tmp_path / "a.tif", frames, imagej=True, resolution=(72, 72), metadata=about)
    assert "x" not in partita.load(tmp_path / "a.tif").coords


def test_an_imagej_hyperstack_written_without_pages_is_whole(tmp_path, frames):
    about = {"axes": "TYX", "finterval": 0.1}
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, frames, imagej=True, truncate=True, metadata=about)
    with tifffile.TiffFile(path) as tiff:
        assert len(tiff.pages) == 1
    np.testing.assert_array_equal(partita.load(path), frames)


def test_ome_says_times_pixel_sizes_and_channels(tmp_path):
    values = np.arange(4 * 2 * 8 * 6, dtype=np.uint16).reshape(4, 2, 8, 6)
    about = {
        "axes": "TCYX",
        "TimeIncrement": 100,
        "TimeIncrementUnit": "ms",
        "PhysicalSizeX": 0.5,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": 800,
        "PhysicalSizeYUnit": "nm",
        "Channel": {"Name": ["GCaMP", "tdTomato"]},
    }
    tifffile.imwrite(tmp_path / "a.ome.tif", values, metadata=about)
    recording = partita.load(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(recording.sel(channel="tdTomato"), values[:, 1])
    np.testing.assert_allclose(recording.time, 0.1 * np.arange(4))
    np.testing.assert_allclose(recording.x, 0.0005 * np.arange(6))
    np.testing.assert_allclose(recording.y, 0.0008 * np.arange(8))
    assert recording.name == "a"


def test_ome_times_may_be_in_days(tmp_path, frames):
    about = {"axes": "TYX", "TimeIncrement": 0.5, "TimeIncrementUnit": "d"}
    tifffile.imwrite(tmp_path / "a.ome.tif", frames, metadata=about)
    assert float(partita.load(tmp_path / "a.ome.tif").time[1]) == 43200


def test_ome_plane_times_are_kept_as_they_are(tmp_path, frames):
    times = [0.0, 0.11, 0.2, 0.35]
    about = {"axes": "TYX", "Plane": {"DeltaT": times, "TheT": [0, 1, 2, 3]}}
    tifffile.imwrite(tmp_path / "a.ome.tif", frames[:4], metadata=about)
    np.testing.assert_allclose(partita.load(tmp_path / "a.ome.tif").time, times)


def test_several_ome_images_are_listed_and_chosen(tmp_path, frames, load_numbered, naming):
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(frames, metadata={"axes": "TYX", "Name": "left"})
        writer.write(frames[:5, :4] * 2, metadata={"axes": "TYX", "Name": "right"})
    with pytest.raises(ValueError, match=naming(path, "'0' 12 x 8 x 6 uint16; '1' 5 x 4 x 6")):
        partita.load(path)
    np.testing.assert_array_equal(load_numbered(path, dataset="1"), frames[:5, :4] * 2)
    np.testing.assert_array_equal(load_numbered(path, dataset="left"), frames)
    with pytest.raises(ValueError, match=naming(path, "no image 'up'. Choose one of")):
        partita.load(path, dataset="up")


def test_a_set_of_ome_files_is_loaded_by_one_of_them(tmp_path, frames):
    """The first file describes the pages of both, as Micro-Manager and Bio-Formats split them."""
    names = ["a_0.ome.tif", "a_1.ome.tif"]
    blocks = "".join(
        f'<TiffData FirstT="{6 * number + t}" IFD="{t}" PlaneCount="1">'
        f'<UUID FileName="{name}">urn:uuid:{number:08d}-0000-0000-0000-000000000000</UUID>'
        "</TiffData>"
        for number, name in enumerate(names)
        for t in range(6)
    )
    for number, name in enumerate(names):
        xml = (
            '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/'
            f'Schemas/OME/2016-06" UUID="urn:uuid:{number:08d}-0000-0000-0000-000000000000">'
            '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" '
            'SizeX="6" SizeY="8" SizeZ="1" SizeC="1" SizeT="12" TimeIncrement="0.5">'
            f'<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{blocks}</Pixels></Image></OME>'
        )
        with tifffile.TiffWriter(tmp_path / name) as writer:
            for t in range(6):
                writer.write(
                    frames[6 * number + t],
                    contiguous=False,
                    metadata=None,
                    description=xml if t == 0 else None,
                )
    recording = partita.load(tmp_path / names[0], chunks=4)
    np.testing.assert_array_equal(recording, frames)
    np.testing.assert_allclose(recording.time, 0.5 * np.arange(12))
    (tmp_path / names[1]).unlink()
    with pytest.raises(OSError, match=r"others are missing beside it: a_1\.ome\.tif is"):
        partita.load(tmp_path / names[0])


OME = 'xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid'


@pytest.fixture
def companion_set(tmp_path):
    """Return three files of a frame each, described by a companion file, and their frames."""
    frames = np.random.default_rng(3).integers(0, 99, (3, 8, 9)).astype("u2")
    blocks = ""
    for number, frame in enumerate(frames):
        name = f"t{number}.ome.tif"
        blocks += (
            f'<TiffData FirstT="{number}" IFD="0" PlaneCount="1">'
            f'<UUID FileName="{name}">urn:uuid:{number}</UUID></TiffData>'
        )
        only = '<BinaryOnly MetadataFile="a.companion.ome" UUID="urn:uuid:9"/>'
        xml = f'<?xml version="1.0"?><OME {OME}:{number}">{only}</OME>'
        tifffile.imwrite(tmp_path / name, frame, description=xml, metadata=None)
    xml = (
        f'<?xml version="1.0" encoding="UTF-8"?><OME {OME}:9"><Image ID="Image:0"><Pixels '
        'ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" SizeX="9" SizeY="8" SizeC="1" '
        'SizeZ="1" SizeT="3" TimeIncrement="0.5" PhysicalSizeX="2" PhysicalSizeY="2">'
        f'<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{blocks}</Pixels></Image></OME>'
    )
    (tmp_path / "a.companion.ome").write_text(xml, encoding="utf-8")
    return tmp_path, frames


@pytest.mark.parametrize(
    "source", ["", "t0.ome.tif", "t2.ome.tif", "t*.ome.tif", "a.companion.ome", "*.ome*"]
)
def test_a_set_with_a_companion_file_is_read_whole_and_once(companion_set, source):
    folder, frames = companion_set
    recording = partita.load(folder / source)
    np.testing.assert_array_equal(recording, frames)
    np.testing.assert_allclose(recording.time, [0, 0.5, 1])
    np.testing.assert_allclose(recording.x.diff("x"), 0.002)


def test_a_companion_file_by_itself_names_what_is_missing(companion_set):
    folder, _ = companion_set
    companion = folder / "a.companion.ome"
    (folder / "t1.ome.tif").unlink()
    with pytest.raises(OSError, match=r"t1\.ome\.tif"):
        partita.load(companion)
    (folder / "t0.ome.tif").unlink()
    with pytest.raises(OSError, match=r"t0\.ome\.tif is missing beside it"):
        partita.load(companion)
    companion.write_text("<OME></OME>", encoding="utf-8")
    with pytest.raises(OSError, match=r"names no file of frames|is no OME-XML"):
        partita.load(companion)
    companion.write_text("<OME", encoding="utf-8")
    with pytest.raises((OSError, ValueError), match=r"a\.companion\.ome"):
        partita.load(companion)


def test_a_companion_file_that_is_missing_damaged_or_elsewhere_is_named(companion_set):
    folder, _ = companion_set
    companion = folder / "a.companion.ome"
    text = companion.read_text()
    for damaged in (text[:200], "", "<a/>"):
        companion.write_text(damaged)
        with pytest.raises(OSError, match=r"a\.companion\.ome is no OME-XML"):
            partita.load(folder / "t1.ome.tif")
    companion.unlink()
    with pytest.raises(OSError, match=r"a\.companion\.ome describes, and that is missing"):
        partita.load(folder / "t1.ome.tif")
    outside = folder / "in"
    outside.mkdir()
    (folder / "t1.ome.tif").rename(outside / "t1.ome.tif")
    raw = (outside / "t1.ome.tif").read_bytes()
    (outside / "t1.ome.tif").write_bytes(raw.replace(b"a.companion.ome", b"../companion.om"))
    (folder / "companion.om").write_text(text)
    with pytest.raises(PermissionError, match="allow_external"):
        partita.load(outside / "t1.ome.tif")


# ScanImage


def scanimage(path, pages, **settings):
    """Write pages with settings where ScanImage 2016 and later have them."""
    lines = "\n".join(f"SI.{key} = {value}" for key, value in settings.items())
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for page in pages:
            writer.write(page, contiguous=False, metadata=None, software=lines)
    return path


def test_scanimage_channels_are_a_dimension(tmp_path, frames):
    path = scanimage(
        tmp_path / "a.tif",
        frames,
        **{
            "hChannels.channelSave": "[1;3]",
            "hRoiManager.scanFrameRate": 30.5,
            "hRoiManager.imagingFovUm": "[-300 -400;300 -400;300 400;-300 400]",
            "hStackManager.enable": "false",
            "hStackManager.numSlices": 4,
        },
    )
    recording = partita.load(path)
    assert recording.sizes == {"time": 6, "channel": 2, "y": 8, "x": 6}
    np.testing.assert_array_equal(recording.sel(channel=3), frames[1::2])
    np.testing.assert_allclose(recording.time, np.arange(6) / 30.5)
    np.testing.assert_allclose(recording.y, 0.1 * np.arange(8))
    np.testing.assert_allclose(recording.x, 0.1 * np.arange(6))
    pages = partita.load(path, dims=("time", "y", "x"), frame_rate=61)
    np.testing.assert_array_equal(pages, frames)


def test_scanimage_volumes_lose_their_flyback(tmp_path):
    pages = np.arange(3 * 4 * 2)[:, None, None] * np.ones((1, 8, 6), np.int16)
    path = scanimage(
        tmp_path / "a.tif",
        pages.astype(np.int16),
        **{
            "hChannels.channelSave": "[1 2]",
            "hRoiManager.scanFrameRate": 40,
            "hRoiManager.scanVolumeRate": 10,
            "hStackManager.enable": "true",
            "hStackManager.actualNumSlices": 3,
            "hStackManager.framesPerSlice": 1,
            "hStackManager.numFramesPerVolumeWithFlyback": 4,
            "hStackManager.zs": "[0 20 40]",
        },
    )
    recording = partita.load(path)
    assert recording.sizes == {"time": 3, "channel": 2, "z": 3, "y": 8, "x": 6}
    expected = np.arange(24).reshape(3, 4, 2)[:, :3].transpose(0, 2, 1)
    np.testing.assert_array_equal(recording.isel(y=0, x=0), expected)
    np.testing.assert_allclose(recording.time, [0, 0.1, 0.2])
    np.testing.assert_allclose(recording.z, [0, 0.02, 0.04])


def test_scanimage_repeats_at_a_plane_are_a_dimension(tmp_path):
    pages = np.arange(12)[:, None, None] * np.ones((1, 8, 6), np.int16)
    path = scanimage(
        tmp_path / "a.tif",
        pages.astype(np.int16),
        **{
            "hChannels.channelSave": 1,
            "hRoiManager.scanVolumeRate": 5,
            "hFastZ.enable": "true",
            "hStackManager.numSlices": 2,
            "hStackManager.framesPerSlice": 3,
        },
    )
    recording = partita.load(path)
    assert recording.sizes == {"time": 2, "repeat": 3, "z": 2, "y": 8, "x": 6}
    expected = np.arange(12).reshape(2, 2, 3).transpose(0, 2, 1)
    np.testing.assert_array_equal(recording.isel(y=0, x=0), expected)


def test_scanimage_pages_that_make_no_volume_are_left_out_and_told(tmp_path, frames):
    settings = {
        "hChannels.channelSave": 1,
        "hRoiManager.scanVolumeRate": 5,
        "hStackManager.enable": "true",
        "hStackManager.numSlices": 5,
    }
    path = scanimage(tmp_path / "a_1.tif", frames, **settings)
    with pytest.warns(UserWarning, match="the last 2 of 12 pages are no whole volume"):
        recording = partita.load(path)
    np.testing.assert_array_equal(recording.isel(time=1, z=4), frames[9])
    flat = partita.load(path, dims=("time", "y", "x"), frame_rate=25)
    np.testing.assert_array_equal(flat, frames)
    scanimage(tmp_path / "a_2.tif", frames, **settings)
    with pytest.raises(ValueError, match="ends in the middle of a volume"):
        partita.load(tmp_path)


def test_scanimage_averages_and_old_versions_say_their_rate(tmp_path, frames):
    path = scanimage(
        tmp_path / "a.tif",
        frames,
        **{"hRoiManager.scanFrameRate": 30, "hScan2D.logAverageFactor": 3},
    )
    np.testing.assert_allclose(partita.load(path).time, 0.1 * np.arange(12))
    tifffile.imwrite(path, frames, metadata=None, description="state.acq.frameRate=4\r\n")
    np.testing.assert_allclose(partita.load(path).time, 0.25 * np.arange(12))
    first = "frameNumbers = 1\nscanimage.SI.hRoiManager.scanFrameRate = 2\n"
    tifffile.imwrite(path, frames, metadata=None, description=first)
    np.testing.assert_allclose(partita.load(path).time, 0.5 * np.arange(12))


# Laziness


def test_a_chunk_reads_only_its_pages(tmp_path, frames, load_numbered, monkeypatch):
    path = write_pages(tmp_path / "a.tif", frames, compression="zlib")
    read = []
    decode = tifffile.TiffFrame.asarray
    monkeypatch.setattr(
        tifffile.TiffFrame, "asarray", lambda self, **k: read.append(1) or decode(self, **k)
    )
    recording = load_numbered(path, chunks=3)
    assert recording.chunks[0] == (3, 3, 3, 3)
    assert not read
    np.testing.assert_array_equal(recording[4:6], frames[4:6])
    assert 2 <= len(read) <= 3


def test_a_lazy_stack_may_be_pickled_and_read_by_many_threads(tmp_path, frames, load_numbered):
    recording = load_numbered(write_pages(tmp_path / "a.tif", frames), chunks=1)
    again = pickle.loads(pickle.dumps(recording))
    xr.testing.assert_identical(again.compute(scheduler="threads", num_workers=8), recording)


# Refusals


@pytest.mark.parametrize("kept", [0.35, 0.6, 0.97])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"metadata": None},
        {"imagej": True},
        {"ome": True},
        {"compression": "zlib"},
        {"imagej": True, "truncate": True},
    ],
)
def test_a_stack_cut_short_is_refused_at_once(tmp_path, frames, naming, options, kept):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, frames, photometric="minisblack", **options)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(OSError, match=naming(path, "cut short|damaged or truncated")):
        partita.load(path)


def test_a_stack_cut_in_the_middle_of_a_page_says_so(tmp_path, frames, naming):
    path = write_pages(tmp_path / "a.tif", frames)
    whole = path.read_bytes()
    with tifffile.TiffFile(path) as tiff:
        middle = tiff.pages[11].dataoffsets[0] + 40
    path.write_bytes(whole[:middle])
    with pytest.raises(OSError, match=naming(path, "cut short.*Copy or download it again")):
        partita.load(path)
    path.write_bytes(whole[: middle - 1000])
    with pytest.raises(OSError, match=naming(path, "ends after .* pages and names more")):
        partita.load(path)


def test_images_of_several_sizes_are_refused(tmp_path, frames, naming):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for number, frame in enumerate(frames):
            writer.write(frame[: 8 - number // 8], contiguous=False, metadata=None)
    with pytest.raises(ValueError, match=naming(path, "frames of a movie are of one size")):
        partita.load(path)


def test_one_odd_page_in_the_middle_is_refused(tmp_path, frames, naming):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for number, frame in enumerate(frames):
            writer.write(frame[:, : 6 - (number == 5)], contiguous=False, metadata=None)
    with pytest.raises(ValueError, match=naming(path, "frames of a movie are of one size")):
        partita.load(path)


def test_an_unknown_compression_is_refused_with_the_package_for_it(tmp_path, frames, naming):
    path = write_pages(tmp_path / "a.tif", frames)
    raw = path.read_bytes()
    tag = (259).to_bytes(2, "little") + (3).to_bytes(2, "little") + (1).to_bytes(4, "little")
    path.write_bytes(raw.replace(tag + b"\1\0", tag + (34887).to_bytes(2, "little")))
    with pytest.raises(ModuleNotFoundError, match=naming(path, "pip install imagecodecs")):
        partita.load(path)


def test_complex_pages_are_refused(tmp_path, frames, naming):
    tifffile.imwrite(tmp_path / "a.tif", frames.astype(np.complex64), photometric="minisblack")
    with pytest.raises(TypeError, match=naming(tmp_path / "a.tif", "complex64.*magnitude")):
        partita.load(tmp_path / "a.tif")


def test_the_command_that_installs_tifffile_is_named(tmp_path, frames, monkeypatch, naming):
    path = write_pages(tmp_path / "a.tif", frames)
    monkeypatch.setitem(sys.modules, "tifffile", None)
    words = r'pip install "partita\[movies\]"'
    with pytest.raises(ModuleNotFoundError, match=naming(path, words)):
        partita.load(path)


def test_a_file_that_changes_after_loading_is_refused_when_read(tmp_path, frames, load_numbered):
    path = write_pages(tmp_path / "a.tif", frames)
    recording = load_numbered(path)
    write_pages(path, frames[:3])
    with pytest.raises(OSError, match="has been changed since it was opened"):
        recording.compute()


@pytest.mark.parametrize(
    ("unit", "mm"), [("pm", 1e-9), ("Å", 1e-7), ("in", 25.4), ("thou", 0.0254), ("ft", 304.8)]
)
def test_ome_sizes_are_in_mm_whatever_their_unit(tmp_path, frames, unit, mm):
    about = {
        "axes": "TYX", "TimeIncrement": 0.5, "PhysicalSizeX": 3.0, "PhysicalSizeXUnit": unit,
        "PhysicalSizeY": 2.0, "PhysicalSizeYUnit": unit,
    }  # fmt: skip
    tifffile.imwrite(tmp_path / "a.ome.tif", frames, metadata=about)
    recording = partita.load(tmp_path / "a.ome.tif")
    np.testing.assert_allclose(recording.x[:2], [0, 3 * mm])
    np.testing.assert_allclose(recording.y[:2], [0, 2 * mm])


@pytest.mark.parametrize("unit", ["pixel", "reference frame"])
def test_ome_sizes_that_are_no_lengths_are_said(tmp_path, frames, unit):
    about = {
        "axes": "TYX", "TimeIncrement": 0.5, "PhysicalSizeX": 3.0, "PhysicalSizeXUnit": unit,
    }  # fmt: skip
    tifffile.imwrite(tmp_path / "a.ome.tif", frames, metadata=about)
    with pytest.warns(UserWarning, match=rf"along x are in {unit}, which is no length"):
        assert "x" not in partita.load(tmp_path / "a.ome.tif").coords
