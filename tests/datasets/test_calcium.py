from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from partita.datasets import simulate_calcium


@pytest.fixture(scope="module")
def truth() -> xr.Dataset:
    return simulate_calcium(n_times=400, shape=(40, 48), n_components=8, random_state=0)


def test_the_movie_is_cells_over_background_plus_unit_noise(truth):
    cells = (truth.maps * truth.signals).sum("component")
    noise = (truth.recording - truth.background - cells).values
    assert abs(noise.mean()) < 0.01
    assert noise.std() == pytest.approx(1, rel=0.01)
    neighbours = np.corrcoef(noise[1:].ravel(), noise[:-1].ravel())[0, 1]
    assert abs(neighbours) < 0.01


def test_transients_jump_at_spikes_and_decay_with_the_time_constant():
    truth = simulate_calcium(
        n_times=300, sampling_interval=0.1, decay_time=0.5, snr=3.0, random_state=1
    )
    signals, spikes = truth.signals.values, truth.spikes.values
    kept = signals[1:] - np.exp(-0.1 / 0.5) * signals[:-1]
    np.testing.assert_allclose(kept, 3.0 * spikes[1:], atol=1e-4)
    assert spikes.sum() > 0


def test_footprints_are_compact_cells_with_a_peak_of_one(truth):
    np.testing.assert_allclose(truth.maps.max(["y", "x"]), 1, rtol=1e-6)
    assert float(truth.maps.min()) == 0
    area = (truth.maps > 0.5).sum(["y", "x"])
    assert ((area > 12) & (area < 60)).all()


def test_no_two_cells_are_the_same(truth):
    flat = truth.maps.values.reshape(8, -1)
    flat = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    assert (flat @ flat.T - np.eye(8)).max() < 0.9


def test_the_background_is_smooth_and_wavers_by_a_few_per_cent(truth):
    course = truth.background.mean(["y", "x"])
    assert 0.005 < float(course.std() / course.mean()) < 0.05
    step = abs(truth.background[0].diff("x")).max() / truth.background[0].mean()
    assert float(step) < 0.05


def test_coordinates_carry_millimetres_and_seconds(truth):
    assert truth.time.attrs["units"] == "s"
    assert truth.x.attrs["units"] == "mm"
    np.testing.assert_allclose(truth.x.diff("x"), 0.002)


def test_the_same_seed_gives_identical_movies(truth):
    again = simulate_calcium(n_times=400, shape=(40, 48), n_components=8, random_state=0)
    xr.testing.assert_identical(truth, again)
    assert truth.recording.dtype == np.float32


def test_cells_are_seen_even_where_pixels_are_coarser_than_they():
    truth = simulate_calcium(n_times=5, shape=(8, 8), spacing=0.05, random_state=0)
    assert np.isfinite(truth.maps).all()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"shape": (4, 4, 4)}, "shape to be whole numbers above 0 along y and x"),
        ({"n_times": 1}, "n_times to be a whole number of at least 2"),
        ({"spacing": 0.0}, "spacing to be a size above 0 mm"),
        ({"decay_time": -1.0}, "decay_time to be finite and above 0"),
        ({"event_rate": -1.0}, "event_rate to be finite and not negative"),
        ({"dtype": "uint8"}, "makes float32 or float64"),
    ],
)
def test_what_cannot_be_simulated_is_refused_in_words(wrong, words):
    with pytest.raises(ValueError, match=words):
        simulate_calcium(**wrong)
