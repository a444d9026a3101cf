from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from partita.datasets import simulate_parts


@pytest.mark.parametrize(
    ("shape", "dims"),
    [
        (30, ("time", "feature")),
        ((30,), ("time", "feature")),
        ((6, 5), ("time", "y", "x")),
        ((2, 6, 5), ("time", "z", "y", "x")),
    ],
)
def test_the_shape_names_the_dimensions(shape, dims):
    truth = simulate_parts(shape=shape, n_times=10, random_state=0)
    assert truth.recording.dims == dims
    assert truth.maps.dims == ("component", *dims[1:])


def test_without_noise_the_recording_is_the_product_of_its_parts():
    truth = simulate_parts(noise=0, random_state=0)
    product = (truth.signals * truth.maps).sum("component").transpose(*truth.recording.dims)
    xr.testing.assert_allclose(truth.recording, product.rename("recording"), rtol=1e-5)
    assert np.linalg.matrix_rank(truth.recording.values.reshape(200, -1).astype(float), 1e-3) == 4


def test_everything_is_non_negative_and_maps_have_unit_norm():
    truth = simulate_parts(noise=0.5, random_state=1)
    for name in ("recording", "maps", "signals"):
        assert float(truth[name].min()) >= 0
    np.testing.assert_allclose((truth.maps**2).sum(["y", "x"]), 1, rtol=1e-5)


def test_energies_fall_from_part_to_part():
    energy = (simulate_parts(n_components=6, random_state=2).signals ** 2).sum("time")
    assert (energy.diff("component") < 0).all()


def test_noise_is_a_fraction_of_the_clean_root_mean_square():
    clean = simulate_parts(noise=0, shape=500, random_state=3).recording
    noisy = simulate_parts(noise=0.1, shape=500, random_state=3).recording
    bright = clean > 5 * float(np.sqrt((clean**2).mean())) * 0.1
    spread = float((noisy - clean).where(bright).std())
    assert spread == pytest.approx(0.1 * float(np.sqrt((clean**2).mean())), rel=0.05)


@pytest.mark.parametrize("seed", [4, np.int64(4)])
def test_history_says_the_seed_as_a_number(seed):
    truth = simulate_parts(n_times=10, random_state=seed)
    assert truth.recording.attrs["history"].endswith("random_state=4, dtype='float32')")


def test_the_same_seed_gives_identical_recordings_in_the_asked_dtype():
    first, second = (simulate_parts(random_state=4, dtype="float64") for _ in range(2))
    xr.testing.assert_identical(first, second)
    assert first.recording.dtype == np.float64


def test_writing_on_one_recording_leaves_the_next_alone():
    simulate_parts(random_state=0).recording.attrs["units"] = "mV"
    assert simulate_parts(random_state=0).recording.attrs["units"] == "a.u."


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"shape": (2, 2, 2, 2)}, "shape to be whole numbers above 0 along one to three axes"),
        ({"shape": 0}, "shape to be whole numbers above 0"),
        ({"n_components": 0}, "n_components to be a whole number of at least 1"),
        ({"n_times": 1}, "n_times to be a whole number of at least 2"),
        ({"noise": -1.0}, "noise to be finite and not negative"),
        ({"dtype": "int32"}, "makes float32 or float64"),
    ],
)
def test_what_cannot_be_simulated_is_refused_in_words(wrong, words):
    with pytest.raises(ValueError, match=words):
        simulate_parts(**wrong)
