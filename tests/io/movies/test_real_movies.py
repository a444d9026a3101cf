"""Recordings as microscopes and laboratories wrote them."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import partita

pytestmark = pytest.mark.realdata


def test_the_same_frames_in_tiff_and_hdf5_are_identical(real_data):
    pytest.importorskip("tifffile")
    tiff = partita.load(real_data / "movies/example.tif", frame_rate=10, chunks=6)
    hdf5 = partita.load(
        real_data / "movies/example.h5", dims=("y", "x", "time"), frame_rate=10, chunks=6
    )
    assert tiff.sizes == {"time": 20, "y": 128, "x": 256}
    assert tiff.dtype == np.uint16
    assert tiff.attrs.pop("history") == "load('example.tif', frame_rate=10.0)"
    del hdf5.attrs["history"]
    xr.testing.assert_identical(tiff, hdf5)


def test_the_first_frame_of_the_movie_is_displaced(real_data):
    """About seven pixels along x: frames and axes are where they should be."""
    pytest.importorskip("tifffile")
    movie = partita.load(real_data / "movies/example.tif", frame_rate=10).astype(float)
    first, rest = movie[0].values, movie[1:].mean("time").values
    spectrum = np.fft.fft2(first - first.mean()) * np.conj(np.fft.fft2(rest - rest.mean()))
    correlation = np.fft.ifft2(spectrum).real
    _, shift = np.unravel_index(np.argmax(correlation), correlation.shape)
    assert 5 <= min(shift, 256 - shift) <= 9


def test_a_labelled_volume_knows_its_axes_and_sizes(real_data, load_numbered):
    recording = load_numbered(real_data / "movies/example-volume.h5")
    assert recording.sizes == {"time": 10, "channel": 2, "z": 3, "y": 64, "x": 64}
    assert float(recording.z[1]) == pytest.approx(1e-3)
    assert float(recording.y[1]) == pytest.approx(0.29258788e-3)
    assert float(recording.x[1]) == pytest.approx(0.29386463e-3)


def test_spinal_cord_images_are_y_x_without_the_resolution_of_printing(real_data):
    pytest.importorskip("tifffile")
    for name in ("ref", "template"):
        image = partita.load(real_data / f"movies/spinalImaging01_{name}.tif")
        assert image.sizes == {"y": 413, "x": 551}
        assert image.dtype == np.float32
        assert np.isfinite(image).all()
        assert "x" not in image.coords


def test_widefield_parcels_are_listed_and_chosen(real_data):
    path = real_data / "widefield/isfn_data_animal1.mat"
    with pytest.raises(ValueError, match=r"func_map \(256 x 256.*x \(48 x 4000, double\)"):
        partita.load(path)
    parcels = partita.load(path, dataset="x", frame_rate=10)
    assert parcels.sizes == {"time": 4000, "neuron": 48}
    region = partita.load(path, dataset="func_map", dims=("y", "x"))
    assert region.sizes == {"y": 256, "x": 256}


def test_songbird_traces_and_song_have_their_own_rates(real_data):
    path = real_data / "songbird/MackeviciusData.mat"
    neurons = partita.load(path, dataset="NEURAL", frame_rate=30)
    song = partita.load(path, dataset="SONG", dims=("frequency", "time"), frame_rate=200)
    assert neurons.sizes == {"time": 666, "neuron": 75}
    assert song.sizes == {"time": 4440, "frequency": 141}
    assert float(neurons.time[-1]) == pytest.approx(float(song.time[-1]), abs=0.1)


def test_arrays_beside_pickled_ones_are_read(real_data):
    path = real_data / "songbird/gseqNMF_example_dataset.npz"
    data = partita.load(path, dataset="data", dims=("neuron", "time"), frame_rate=1)
    rebuilt = partita.load(path, dataset="x_hat", dims=("neuron", "time"), frame_rate=1)
    assert data.sizes == {"time": 3000, "neuron": 30}
    assert float(((data - rebuilt) ** 2).mean()) ** 0.5 < float((data**2).mean()) ** 0.5
