"""AVI, MP4 and Matroska, written and read back through PyAV."""

from __future__ import annotations

import pickle
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

import partita
from partita.io.movies import video
from partita.io.movies.video import VideoFrames

av = pytest.importorskip("av")

SIZE = (32, 48)


@pytest.fixture(scope="module")
def smooth():
    """Return a drifting pattern, (time, y, x), that lossy codecs keep."""
    t, y, x = np.ogrid[:40, : SIZE[0], : SIZE[1]]
    values = 128 + 80 * np.sin(y / 5 + t / 6) * np.cos(x / 7) + 0 * t
    return values.astype(np.uint8)


def write(path, frames, *, codec, pixels, rate=25, **options):
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options)
        stream.height, stream.width = frames.shape[1:]
        stream.pix_fmt = pixels
        for values in frames:
            if pixels.startswith("gray"):
                frame = av.VideoFrame.from_ndarray(values, format=pixels)
            else:
                frame = av.VideoFrame.from_ndarray(np.stack([values] * 3, -1), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("suffix", "codec", "pixels"),
    [
        ("avi", "rawvideo", "gray"),
        ("avi", "rawvideo", "bgr24"),
        ("avi", "ffv1", "gray"),
        ("avi", "huffyuv", "rgb24"),
        ("mkv", "ffv1", "gray16le"),
    ],
)
def test_lossless_video_comes_back_exactly(tmp_path, smooth, suffix, codec, pixels):
    values = smooth.astype(np.uint16) * 100 if "16" in pixels else smooth
    path = write(tmp_path / f"a.{suffix}", values, codec=codec, pixels=pixels)
    recording = partita.load(path, chunks=7)
    assert recording.dims == ("time", "y", "x")
    assert recording.dtype == values.dtype
    np.testing.assert_array_equal(recording, values)
    np.testing.assert_allclose(recording.time, np.arange(40) / 25)
    np.testing.assert_array_equal(recording[33:3:-4, 5, ::2], values[33:3:-4, 5, ::2])
    assert recording.encoding["format"] == f"video, {codec}"


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.avi", "mjpeg", "yuvj420p"),
        ("a.avi", "mpeg4", "yuv420p"),
        ("a.avi", "rawvideo", "yuyv422"),
        ("a.mp4", "mpeg4", "yuv420p"),
        ("a.mov", "mjpeg", "yuvj422p"),
    ],
)
def test_brightness_of_other_codecs_follows_the_pattern(tmp_path, smooth, name, codec, pixels):
    path = write(tmp_path / name, smooth, codec=codec, pixels=pixels, b="4M")
    recording = partita.load(path, chunks=7)
    assert recording.shape == smooth.shape
    for number in (0, 13, 39):
        assert np.corrcoef(recording[number].values.ravel(), smooth[number].ravel())[0, 1] > 0.99


def test_frames_between_key_frames_are_the_same_from_any_start(tmp_path, smooth):
    """Frames that lean on others, and are stored in another order than shown (B frames)."""
    options = {"g": "12", "bf": "2", "b": "2M"}
    path = write(tmp_path / "a.mp4", smooth, codec="mpeg4", pixels="yuv420p", **options)
    whole = partita.load(path, chunks=None)
    lazy = partita.load(path, chunks=1)
    for number in (0, 5, 11, 12, 13, 30, 39):
        np.testing.assert_array_equal(lazy[number], whole[number])
    assert np.corrcoef(whole[17].values.ravel(), smooth[17].ravel())[0, 1] > 0.99


def test_a_chunk_decodes_only_from_the_key_frame_before_it(tmp_path, smooth, monkeypatch):
    path = write(tmp_path / "a.avi", smooth, codec="mjpeg", pixels="yuvj420p")
    decoded = []
    brightness = video.brightness
    monkeypatch.setattr(video, "brightness", lambda frame: decoded.append(1) or brightness(frame))
    recording = partita.load(path, chunks=4)
    assert len(decoded) == 1  # the size and type are those of the first frame
    recording[20:24].compute()
    assert len(decoded) == 1 + 4


def test_uneven_times_are_kept(tmp_path, smooth):
    times = np.cumsum(np.tile([40, 40, 120, 20], 10))
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=1000)
        stream.height, stream.width = SIZE
        stream.pix_fmt = "gray"
        for values, time in zip(smooth, times, strict=True):
            frame = av.VideoFrame.from_ndarray(values, format="gray")
            frame.pts = int(time)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    recording = partita.load(tmp_path / "a.mkv")
    np.testing.assert_allclose(recording.time, (times - times[0]) / 1000)
    np.testing.assert_array_equal(recording, smooth)
    np.testing.assert_allclose(
        partita.load(tmp_path / "a.mkv", frame_rate=20).time, np.arange(40) / 20
    )


def test_a_lazy_video_may_be_pickled_and_read_by_many_threads(tmp_path, smooth):
    path = write(tmp_path / "a.avi", smooth, codec="ffv1", pixels="gray")
    recording = partita.load(path, chunks=5)
    again = pickle.loads(pickle.dumps(recording))
    xr.testing.assert_identical(again.compute(scheduler="threads", num_workers=4), recording)


# Refusals


def test_a_video_cut_short_is_refused_at_once(tmp_path, smooth, naming):
    path = write(tmp_path / "a.avi", smooth, codec="rawvideo", pixels="gray")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(OSError, match=naming(path, "cut short: it has .* promises")):
        partita.load(path)
    path = write(tmp_path / "a.mp4", smooth, codec="mpeg4", pixels="yuv420p")
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(OSError, match=naming(path, "Copy or download it again")):
        partita.load(path)


@pytest.mark.parametrize("name", ["a.avi", "a.mkv"])
def test_frames_that_are_missing_at_the_end_are_told(tmp_path, smooth, name):
    path = write(tmp_path / name, smooth, codec="ffv1", pixels="gray", g="1")
    cut = bytearray(path.read_bytes()[: path.stat().st_size // 2])
    if name == "a.avi":
        cut[4:8] = bytes(4)  # as recorders leave it that were interrupted
    path.write_bytes(cut)
    with pytest.warns(UserWarning, match=f"{name}: its header promises .* are there.*cut short"):
        recording = partita.load(path)
    assert 10 < recording.sizes["time"] < 25
    np.testing.assert_array_equal(recording, smooth[: recording.sizes["time"]])


def test_frames_that_cannot_be_decoded_are_told_when_read(tmp_path, smooth, naming):
    path = write(tmp_path / "a.avi", smooth, codec="mjpeg", pixels="yuvj420p")
    raw = bytearray(path.read_bytes())
    place = raw.find(b"00dc", len(raw) // 2)
    raw[place + 40 : place + 90] = bytes(50)
    path.write_bytes(raw)
    recording = partita.load(path, chunks=1)
    assert np.isfinite(recording[:5]).all()
    with pytest.raises(OSError, match=naming(path, "damaged")):
        recording.compute()


def test_a_frame_of_another_size_is_refused_when_read(tmp_path, smooth, naming):
    """Two streams one after the other, as recorders write them that are restarted."""
    small = write(tmp_path / "small.avi", smooth[:, :, :24], codec="mjpeg", pixels="yuvj420p")
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as container, av.open(str(small)) as other:
        stream = container.add_stream("mjpeg", rate=25)
        stream.height, stream.width = SIZE
        stream.pix_fmt = "yuvj420p"
        for values in smooth:
            frame = av.VideoFrame.from_ndarray(np.stack([values] * 3, -1), format="rgb24")
            container.mux(stream.encode(frame))
        for number, packet in enumerate(other.demux(video=0)):
            if packet.size:
                packet.stream = stream
                packet.pts = packet.dts = len(smooth) + number
                container.mux(packet)
    recording = partita.load(path, chunks=10)
    np.testing.assert_array_equal(recording[:20].shape, (20, *SIZE))
    with pytest.raises(OSError, match=naming(path, "changes its frame size from")):
        recording.compute()


def test_a_video_that_lacks_frames_is_refused_when_read(tmp_path, smooth, monkeypatch, naming):
    path = write(tmp_path / "a.avi", smooth, codec="ffv1", pixels="gray", g="1")
    recording = partita.load(path, chunks=10)
    frames = VideoFrames._decoded
    monkeypatch.setattr(
        VideoFrames, "_decoded", lambda self, wanted: list(frames(self, wanted))[:-2]
    )
    with pytest.raises(OSError, match=naming(path, "2 frames cannot be decoded, the first")):
        recording[:10].compute()


def test_frames_without_times_of_their_own_are_refused(tmp_path, smooth, monkeypatch, naming):
    path = write(tmp_path / "a.avi", smooth, codec="mjpeg", pixels="yuvj420p")
    with av.open(str(path)) as container:
        packets = list(container.demux(video=0))
    packets[3].pts = packets[4].pts
    stub = SimpleNamespace(
        demux=lambda stream: packets, streams=SimpleNamespace(video=[packets[0].stream])
    )
    with pytest.raises(ValueError, match=naming(path, "does not say when its frames are shown")):
        video._indexed(stub, path)


def test_a_video_without_frames_is_refused(tmp_path, smooth, naming):
    path = write(tmp_path / "a.avi", smooth, codec="mjpeg", pixels="yuvj420p")
    raw = path.read_bytes()
    path.write_bytes(raw[:4] + bytes(4) + raw[8 : raw.find(b"movi") + 4])
    with pytest.raises(OSError, match=naming(path, "no frame that can be decoded|damaged")):
        partita.load(path)


def test_an_unknown_codec_is_refused(tmp_path, smooth, naming):
    path = write(tmp_path / "a.avi", smooth, codec="mjpeg", pixels="yuvj420p")
    path.write_bytes(path.read_bytes().replace(b"MJPG", b"ZZ9Q"))
    with pytest.raises(ValueError, match=naming(path, "codec.*ffmpeg -i a.avi -c:v ffv1")):
        partita.load(path)


def test_sound_alone_is_refused(tmp_path, naming):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(ValueError, match=naming(path, "has no video in it")):
        partita.load(path)


def test_the_command_that_installs_pyav_is_named(tmp_path, smooth, monkeypatch, naming):
    path = write(tmp_path / "a.avi", smooth, codec="ffv1", pixels="gray")
    monkeypatch.setitem(sys.modules, "av", None)
    words = r'pip install "partita\[movies\]"'
    with pytest.raises(ModuleNotFoundError, match=naming(path, words)):
        partita.load(path)
