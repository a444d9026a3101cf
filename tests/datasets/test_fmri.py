"""The simulated fMRI run is the sum of the parts it names."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from partita.datasets import simulate_fmri

STILL = {"drift": 0.0, "motion": 0.0, "physiology": 0.0, "noise": 0.0}


def test_without_disturbance_it_is_brightness_times_sources():
    truth = simulate_fmri(n_times=60, dtype="float64", random_state=0, **STILL)
    change = (truth["maps"] * truth["signals"]).sum("component")
    expected = truth["brightness"] * (1 + change)
    np.testing.assert_allclose(
        truth["recording"], expected.transpose("time", "z", "y", "x"), atol=1e-9
    )


def test_amounts_are_standard_deviations():
    truth = simulate_fmri(n_times=300, amplitude=0.02, drift=0.03, physiology=0.05, random_state=1)
    np.testing.assert_allclose(truth["signals"].std("time"), 0.02, rtol=1e-5)
    assert float(truth["drift"].std()) == pytest.approx(0.03, rel=1e-3)
    assert float(truth["physiology"].std()) == pytest.approx(0.05, rel=1e-3)
    noise = simulate_fmri(n_times=50, random_state=1, **{**STILL, "amplitude": 0, "noise": 0.02})
    deep = noise["recording"].where(noise["ventricles"])
    assert float(deep.std("time").mean()) == pytest.approx(20, rel=0.05)


def test_every_disturbance_can_be_changed_on_its_own():
    few = simulate_fmri(n_times=40, random_state=2)
    for name in ("drift", "motion", "physiology", "noise"):
        other = simulate_fmri(n_times=40, random_state=2, **{name: 0.0})
        xr.testing.assert_identical(other["signals"], few["signals"])
        xr.testing.assert_identical(other["maps"], few["maps"])
        assert not np.array_equal(other["recording"], few["recording"])


def test_motion_shows_at_the_edges_and_spoils_the_frames_it_names():
    truth = simulate_fmri(n_times=120, random_state=0, **{**STILL, "motion": 0.1})
    still = simulate_fmri(n_times=120, random_state=0, **STILL)
    change = abs(truth["recording"] - still["recording"])
    calm = change[~truth["suspect"].values].mean("time")
    edge = truth["brain"] ^ (truth["brightness"] > 100)
    assert float(calm.where(edge).mean()) > 3 * float(calm.where(truth["ventricles"]).mean())
    assert 0 < int(truth["suspect"].sum()) < 20
    assert float(change[truth["suspect"].values].mean()) > 3 * float(calm.mean())
    assert not still["suspect"].any()


def test_the_first_source_follows_the_task_and_the_rest_are_slow():
    truth = simulate_fmri(n_times=400, random_state=0)
    frequency = np.fft.rfftfreq(400, 2.0)
    power = np.abs(np.fft.rfft(truth["signals"].values, axis=0)) ** 2
    assert frequency[power[:, 0].argmax()] == pytest.approx(1 / 40, abs=0.002)
    assert (power[frequency > 0.105, 1:].sum(axis=0) < 0.02 * power[:, 1:].sum(axis=0)).all()


def test_the_same_seed_gives_the_same_run():
    first, second, other = (simulate_fmri(n_times=20, random_state=s) for s in (4, 4, 5))
    xr.testing.assert_identical(first, second)
    assert not first["recording"].equals(other["recording"])


def test_maps_peak_at_one_in_grey_matter_and_volumes_work():
    truth = simulate_fmri(n_times=20, shape=(8, 24, 24), n_components=3, random_state=0)
    np.testing.assert_allclose(truth["maps"].max(["z", "y", "x"]), 1, rtol=1e-6)
    assert not (truth["maps"].where(~truth["brain"] | truth["ventricles"], 0) > 0).any()
    assert (truth["recording"] >= 0).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"shape": (1, 8, 40)}, "needs at least 16 voxels along y and x"),
        ({"n_times": 10}, "needs n_times to be a whole number of at least 20"),
        ({"n_components": 0}, "needs n_components"),
        ({"noise": -1.0}, "needs noise to be finite and not negative"),
        ({"sampling_interval": 0.0}, "needs sampling_interval to be finite and above 0"),
        ({"dtype": "int16"}, "makes float32 or float64"),
    ],
)
def test_what_cannot_be_simulated_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        simulate_fmri(**given)
