from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import ndimage

from partita.datasets import simulate_two_photon

SMALL = {"n_times": 12, "shape": (64, 80), "random_state": 3}
MOVING = {"motion": 0.004, "warp": 0.003}


@pytest.fixture(scope="module")
def still() -> xr.Dataset:
    return simulate_two_photon(**SMALL)


@pytest.fixture(scope="module")
def bending() -> xr.Dataset:
    return simulate_two_photon(**SMALL, **MOVING)


def pulled_back(truth: xr.Dataset, number: int, displacement: np.ndarray) -> np.ndarray:
    """Resample one frame at the places where its displacement says the reference's pixels went."""
    frame = truth.recording.values[number]
    steps = np.array([float(truth[axis].diff(axis).mean()) for axis in ("y", "x")])
    places = np.indices(frame.shape) + displacement / steps[:, None, None]
    return ndimage.map_coordinates(frame, places, order=3, mode="nearest")


def misfit(image: np.ndarray, expected: np.ndarray) -> float:
    inside = (slice(10, -10), slice(10, -10))
    return float(np.std((image - expected)[inside]) / np.std(expected[inside]))


def test_a_still_recording_without_noise_is_its_reference_at_all_times(still):
    expected = still.reference.broadcast_like(still.recording)
    np.testing.assert_allclose(still.recording, expected, rtol=1e-4)
    assert float(still.translation.max()) == 0
    assert "displacement" not in still


def test_the_displacement_says_where_the_tissue_went(bending):
    reference = bending.reference.values
    for number in range(12):
        moved = bending.recording.values[number]
        back = pulled_back(bending, number, bending.displacement.values[number])
        assert misfit(back, reference) < 0.02
        assert misfit(back, reference) < 0.1 * misfit(moved, reference)


def test_a_translation_alone_moves_all_tissue_alike():
    truth = simulate_two_photon(**SMALL, motion=0.004)
    assert "displacement" not in truth
    for number in range(12):
        shift = truth.translation.values[number][:, None, None]
        assert misfit(pulled_back(truth, number, shift), truth.reference.values) < 0.02


def test_positive_translation_is_towards_larger_coordinates():
    truth = simulate_two_photon(**SMALL, motion=0.008)
    brightest = np.unravel_index(truth.reference.values[16:-16, 16:-16].argmax(), (32, 48))
    y, x = brightest[0] + 16, brightest[1] + 16
    for number in range(12):
        dy, dx = truth.translation.values[number] / 0.002
        seen = ndimage.map_coordinates(
            truth.recording.values[number], [[y + dy], [x + dx]], order=3
        )
        assert seen[0] == pytest.approx(float(truth.reference[y, x]), rel=0.1)


def test_motion_has_the_rms_length_and_the_warp_the_reach_asked_for():
    truth = simulate_two_photon(n_times=40, shape=(48, 48), **MOVING, random_state=0)
    squared = (truth.translation**2).sum("axis").mean()
    assert float(np.sqrt(squared)) == pytest.approx(0.004, rel=1e-6)
    bent = abs(truth.displacement - truth.translation)
    np.testing.assert_allclose(bent.max(["axis", "y", "x"]), 0.003, rtol=1e-3)


def test_the_warp_is_smooth_and_nought_on_average(bending):
    bent = bending.displacement - bending.translation
    np.testing.assert_allclose(bent.mean(["y", "x"]), 0, atol=1e-6)
    assert float(abs(bent.diff("x")).max()) < 0.0005


def test_noise_and_warp_leave_tissue_and_translation_as_they_were(still, bending):
    noisy = simulate_two_photon(**SMALL, motion=0.004, snr=1.0)
    for name in ("translation",):
        xr.testing.assert_identical(noisy[name], bending[name])
    xr.testing.assert_identical(noisy["reference"], still["reference"])


def test_gaussian_noise_has_the_snr_asked_for(still):
    noisy = simulate_two_photon(**SMALL, snr=2.0)
    noise = noisy.recording - still.recording
    assert float(still.reference.std() / noise.std()) == pytest.approx(2.0, rel=0.01)
    assert abs(float(noise.mean())) < 0.02 * float(noise.std())


def test_photons_are_counts_with_a_variance_like_their_mean():
    truth = simulate_two_photon(n_times=400, shape=(24, 24), photons=5, random_state=0)
    counts = truth.recording
    assert float(truth.reference.mean()) == pytest.approx(5, rel=1e-5)
    assert counts.attrs["units"] == "photons"
    np.testing.assert_array_equal(counts, np.round(counts))
    ratio = counts.var("time") / truth.reference
    assert float(ratio.mean()) == pytest.approx(1, abs=0.02)


def test_the_scene_looks_like_tissue():
    scene = simulate_two_photon(n_times=2, shape=(256, 256), random_state=1).reference
    assert float(scene.min()) > 0
    assert 0.2 < float(scene.std() / scene.mean()) < 1.5
    assert float(scene.max()) > 3 * float(scene.mean())
    neighbours = np.corrcoef(scene.values[:, 1:].ravel(), scene.values[:, :-1].ravel())[0, 1]
    assert 0.8 < neighbours < 0.995


def test_the_same_seed_gives_identical_recordings(bending):
    xr.testing.assert_identical(bending, simulate_two_photon(**SMALL, **MOVING))
    other = simulate_two_photon(**{**SMALL, "random_state": 4}, **MOVING)
    assert (
        abs(np.corrcoef(other.reference.values.ravel(), bending.reference.values.ravel())[0, 1])
        < 0.5
    )


def test_coordinates_carry_millimetres_and_seconds(bending):
    assert bending.time.attrs["units"] == "s"
    assert bending.x.attrs["units"] == bending.displacement.attrs["units"] == "mm"
    np.testing.assert_allclose(bending.y.diff("y"), 0.002)
    assert list(bending.axis.values) == ["y", "x"]
    assert bending.recording.attrs["history"].endswith("random_state=3, dtype='float32')")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_recording_has_the_dtype_asked_for(dtype):
    truth = simulate_two_photon(n_times=2, shape=(16, 16), dtype=dtype, random_state=0)
    assert truth.recording.dtype == truth.reference.dtype == dtype


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"shape": (4, 4, 4)}, "shape to be whole numbers above 0 along y and x"),
        ({"shape": (3, 40)}, "at least 4 pixels along y and x"),
        ({"n_times": 1}, "n_times to be a whole number of at least 2"),
        ({"spacing": 0.0}, "spacing to be a size above 0 mm"),
        ({"motion": -1.0}, "motion to be finite and not negative"),
        ({"photons": 5, "snr": 2}, "one kind of noise: give photons= or snr=, not both"),
        ({"snr": 0.0}, "snr to be finite and above 0"),
        ({"dtype": "uint8"}, "makes float32 or float64"),
        ({"motion": 0.2}, "beyond the simulated tissue"),
        ({"warp": 0.1}, "would fold it"),
    ],
)
def test_what_cannot_be_simulated_is_refused_in_words(wrong, words):
    with pytest.raises(ValueError, match=words):
        simulate_two_photon(**{"shape": (32, 32), "n_times": 4, "random_state": 0, **wrong})
