"""Simulated traces hold the truth that they state."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from partita.datasets import simulate_traces


def test_the_recording_is_baseline_times_one_plus_change_plus_noise():
    truth = simulate_traces(n_times=6000, n_neurons=4, snr=5, random_state=0, dtype="float64")
    noise = truth.recording - truth.baseline * (1 + truth.change)
    np.testing.assert_allclose(noise.std("time"), 100 * 0.5 / 5, rtol=0.05)
    assert (truth.change >= -1e-12).all()


def test_the_baseline_bleaches_as_far_as_asked_and_drifts():
    still = simulate_traces(drift=0, n_neurons=30, random_state=1).baseline
    lost = 1 - still[-1] / 100
    assert float(lost.min()) >= 0.2 - 1e-6
    assert float(lost.max()) <= 0.25 + 1e-6
    assert (still.diff("time") <= 0).all()
    moved = simulate_traces(bleaching=0, n_neurons=60, random_state=1).baseline
    assert float(moved.std()) == pytest.approx(3, rel=0.2)


def test_transients_come_at_their_rate_and_size():
    truth = simulate_traces(
        event_rate=0.2, decay_time=0.7, n_neurons=60, bleaching=0, drift=0, random_state=2
    )
    # The mean of a train is its rate times the area of one transient.
    lags = np.arange(0, 6, 1 / 300)
    shape = (1 - np.exp(-lags / 0.07)) * np.exp(-lags / 0.7)
    area = shape.sum() / shape.max() / 300
    assert float(truth.change.mean()) == pytest.approx(0.2 * 0.5 * area, rel=0.05)


def test_a_seed_gives_the_same_traces_and_labels():
    first, second = (simulate_traces(n_times=50, n_neurons=2, random_state=3) for _ in range(2))
    xr.testing.assert_identical(first, second)
    assert first.recording.dtype == np.float32
    assert first.time.attrs["units"] == "s"
    assert first.recording.attrs["history"].startswith("simulate_traces(n_times=")


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"n_times": 1}, "n_times"),
        ({"n_neurons": 0}, "n_neurons"),
        ({"snr": 0}, "snr"),
        ({"event_rate": -1}, "event_rate"),
        ({"bleaching": 1.0}, "bleaching"),
        ({"dtype": "int16"}, "float32 or float64"),
    ],
)
def test_what_cannot_be_simulated_is_refused(bad, words):
    with pytest.raises(ValueError, match=words):
        simulate_traces(**bad)
