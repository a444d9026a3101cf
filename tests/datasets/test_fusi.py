from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import ndimage, stats

from partita.datasets import simulate_fusi

SMALL = {"n_times": 60, "shape": (1, 40, 32), "n_components": 4, "random_state": 3}
SHAKING = {"motion": 0.03, "transient": 0.2, "rotation": 0.5}


@pytest.fixture(scope="module")
def still() -> xr.Dataset:
    return simulate_fusi(**SMALL)


@pytest.fixture(scope="module")
def shaking() -> xr.Dataset:
    return simulate_fusi(**SMALL, **SHAKING, speckle=0.0)


def clean(truth: xr.Dataset) -> xr.DataArray:
    return truth.power * (1 + (truth.maps * truth.signals).sum("component"))


def pulled_back(truth: xr.Dataset, number: int) -> np.ndarray:
    """Resample one frame at the places where its affine says the reference's voxels went."""
    axes = [str(axis) for axis in truth.axis.values]
    frame = truth.recording[number].squeeze(drop=True).transpose(*axes)
    reference = np.stack(np.meshgrid(*[frame[axis] for axis in axes], indexing="ij"))
    affine = truth.affine[number].values
    turned = np.tensordot(affine[:-1, :-1], reference, axes=1)
    places = turned + affine[:-1, -1].reshape(-1, *[1] * len(axes))
    start = np.array([float(frame[axis][0]) for axis in axes])
    step = np.array([float(frame[axis].diff(axis).mean()) for axis in axes])
    index = (places - start.reshape(places.shape[0], *[1] * len(axes))) / step.reshape(
        -1, *[1] * len(axes)
    )
    return ndimage.map_coordinates(frame.values, index, order=3, mode="nearest")


def interior(image: np.ndarray, edge: int = 6) -> np.ndarray:
    return image[..., edge:-edge, edge:-edge]


def misfit(image: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(interior(image - expected)) / np.linalg.norm(interior(expected)))


def test_a_still_speckle_free_recording_is_the_product_of_its_truth():
    truth = simulate_fusi(**SMALL, speckle=0.0)
    xr.testing.assert_allclose(
        truth.recording, clean(truth).transpose("time", "z", "y", "x"), rtol=1e-5
    )


def test_the_same_seed_gives_identical_recordings(still):
    xr.testing.assert_identical(still, simulate_fusi(**SMALL))


def test_another_seed_gives_another_recording(still):
    other = simulate_fusi(**{**SMALL, "random_state": 4})
    assert abs(np.corrcoef(still.power.values.ravel(), other.power.values.ravel())[0, 1]) < 0.8
    assert not np.allclose(still.signals, other.signals)


def test_motion_leaves_tissue_sources_and_timing_as_they_were(still, shaking):
    for name in ("power", "maps", "signals", "time"):
        xr.testing.assert_identical(still[name], shaking[name])


def test_speckle_has_the_asked_mean_and_spread_and_is_gamma(still):
    ratio = (still.recording / clean(still)).values.ravel()
    assert ratio.mean() == pytest.approx(1, abs=0.002)
    assert ratio.std() == pytest.approx(0.1, rel=0.02)
    assert stats.skew(ratio) == pytest.approx(0.2, abs=0.04)


def test_power_spans_its_documented_range(still):
    assert float(still.power.min()) == pytest.approx(4e3, rel=1e-5)
    assert float(still.power.max()) == pytest.approx(5e4, rel=1e-5)


def test_tissue_is_brighter_and_more_varied_than_the_bath_outside():
    power = simulate_fusi(n_times=2, random_state=0).power[0]
    bath, brain = power[:6], power[30:80]
    assert float(brain.mean()) > 2 * float(bath[:, [0, -1]].mean())
    assert float(brain.std() / brain.mean()) > 0.3


def test_maps_are_non_negative_with_a_peak_of_one(still):
    assert float(still.maps.min()) == 0
    np.testing.assert_allclose(still.maps.max(["z", "y", "x"]), 1, rtol=1e-5)


def test_every_other_map_has_a_twin_across_the_midline(still):
    for number in range(0, 4, 2):
        map_ = still.maps[number, 0]
        assert float((map_ * map_[:, ::-1].values).sum() / (map_**2).sum()) > 0.9


def test_signals_are_slow_signed_fluctuations_of_the_asked_size():
    truth = simulate_fusi(n_times=400, shape=(1, 16, 16), amplitude=0.05, random_state=0)
    signals = truth.signals.values
    np.testing.assert_allclose(signals.mean(axis=0), 0, atol=1e-6)
    assert ((signals.std(axis=0) >= 0.034) & (signals.std(axis=0) <= 0.066)).all()
    assert (signals.min(axis=0) < 0).all()
    neighbours = [np.corrcoef(one[1:], one[:-1])[0, 1] for one in signals.T]
    assert min(neighbours) > 0.8


def test_coordinates_carry_millimetres_seconds_and_the_grid(still):
    assert {name: still[name].attrs["units"] for name in ("time", "z", "y", "x")} == {
        "time": "s",
        "z": "mm",
        "y": "mm",
        "x": "mm",
    }
    np.testing.assert_allclose(still.y.diff("y"), 0.04832)
    np.testing.assert_allclose(still.x.diff("x"), 0.1)
    assert float(still.x.mean()) == pytest.approx(0)
    np.testing.assert_array_equal(still.grid.attrs["affine"], np.eye(4).ravel())
    assert still.recording.attrs["units"] == "a.u."
    assert still.recording.attrs["history"].endswith("random_state=3, dtype='float32')")


def test_the_default_geometry_is_that_of_the_tutorial_recording():
    truth = simulate_fusi(n_times=2, random_state=0)
    assert truth.recording.shape == (2, 1, 114, 80)
    assert float(truth.y[0]) == pytest.approx(2.73008)
    assert float(truth.x[0]) == pytest.approx(-3.95)


def test_jittered_timing_rises_about_the_sampling_interval():
    times = simulate_fusi(**SMALL, sampling_interval=0.4, timing_jitter=0.02).time
    steps = times.diff("time").values
    assert (steps > 0).all()
    assert steps.std() > 0.01
    assert steps.mean() == pytest.approx(0.4, abs=0.002)
    assert float(times[0]) == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("motion", [0.0, 0.02])
def test_recording_and_sources_have_the_asked_dtype(dtype, motion):
    truth = simulate_fusi(n_times=4, shape=(1, 16, 16), motion=motion, dtype=dtype, random_state=0)
    assert {truth[name].dtype for name in ("recording", "power", "maps", "signals")} == {
        np.dtype(dtype)
    }


def test_nothing_moves_unless_asked(still):
    assert not still.translation.any()
    assert not still.rotation.any()
    np.testing.assert_allclose(still.affine, np.broadcast_to(np.eye(3), still.affine.shape))


def test_jitter_and_rotation_have_the_asked_rms():
    truth = simulate_fusi(**SMALL, motion=0.03, rotation=0.2)
    length = np.sqrt((truth.translation**2).sum("axis"))
    assert float(np.sqrt((length**2).mean())) == pytest.approx(0.03)
    assert float(np.sqrt((np.rad2deg(truth.rotation) ** 2).mean())) == pytest.approx(0.2)


def test_the_largest_transient_has_the_asked_length_and_is_rare():
    length = np.sqrt((simulate_fusi(**SMALL, transient=0.2).translation ** 2).sum("axis"))
    assert float(length.max()) == pytest.approx(0.2)
    assert float((length > 0.1).mean()) < 0.3


def test_the_truth_of_the_motion_undoes_it_in_the_plane(shaking):
    expected = clean(shaking).transpose("time", "z", "y", "x").values[:, 0]
    length = np.sqrt((shaking.translation**2).sum("axis")).values
    for number in np.argsort(length)[-3:]:
        raw = misfit(shaking.recording.values[number, 0], expected[number])
        undone = misfit(pulled_back(shaking, int(number)), expected[number])
        assert undone < 0.05
        assert raw > 4 * undone


def test_the_truth_of_the_motion_undoes_it_in_space():
    truth = simulate_fusi(
        n_times=8,
        shape=(14, 24, 20),
        spacing=(0.05, 0.04, 0.05),
        n_components=2,
        motion=0.06,
        rotation=2.0,
        speckle=0.0,
        random_state=0,
    )
    assert list(truth.axis.values) == ["z", "y", "x"]
    assert truth.rotation.shape == (8, 3)
    expected = clean(truth).transpose("time", "z", "y", "x").values
    for number in range(4):
        undone = pulled_back(truth, number)[4:-4]
        raw = truth.recording.values[number][4:-4]
        wanted = expected[number][4:-4]
        assert misfit(undone, wanted) < 0.1 * misfit(raw, wanted)


def test_a_positive_translation_moves_the_tissue_towards_larger_coordinates(shaking):
    for axis in ("y", "x"):
        number = int(abs(shaking.translation.sel(axis=axis)).argmax("time"))
        image = shaking.power[0].values
        moved = shaking.recording[number, 0].values
        shift = shaking.translation[number].sel(axis=axis).item()
        gradient = np.gradient(image, *[0.04832, 0.1])[axis == "x"]
        slope = float((interior(gradient) * interior(moved - image)).sum())
        assert np.sign(slope) == -np.sign(shift)


@pytest.mark.parametrize(
    "seed", [np.random.default_rng(0), np.random.RandomState(0), None, np.int64(3)]
)
def test_any_kind_of_seed_is_taken(seed):
    truth = simulate_fusi(n_times=3, shape=(1, 12, 12), n_components=1, random_state=seed)
    assert np.isfinite(truth.recording).all()


def test_power_stays_non_negative_under_wild_fluctuations():
    truth = simulate_fusi(n_times=50, shape=(1, 16, 16), amplitude=2.0, random_state=0)
    assert float(truth.recording.min()) >= 0


def test_many_sources_in_a_tiny_field_are_still_finite():
    truth = simulate_fusi(n_times=3, shape=(1, 5, 4), n_components=12, random_state=0)
    assert np.isfinite(truth.maps).all()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"n_times": 1}, "n_times to be a whole number of at least 2; got 1"),
        ({"n_components": 0}, "n_components to be a whole number of at least 1"),
        ({"n_components": 2.5}, "n_components to be a whole number"),
        ({"shape": (40, 32)}, "shape to be whole numbers above 0 along z, y and x"),
        ({"shape": (1, 40, 0)}, "shape to be whole numbers above 0"),
        ({"shape": (1, 3, 40)}, "at least 4 voxels along y and x"),
        ({"spacing": (0.4, 0.1)}, "spacing to be a size above 0 mm, or 3 of them"),
        (
            {"spacing": (0.4, -0.1, 0.1)},
            "spacing to be a size above 0 mm, or 3 of them",
        ),
        ({"sampling_interval": 0.0}, "sampling_interval to be finite and above 0"),
        ({"timing_jitter": 0.1}, "timing_jitter of at most a fifth"),
        ({"timing_jitter": -0.1}, "timing_jitter to be finite and not negative"),
        ({"speckle": -0.1}, "speckle to be finite and not negative"),
        ({"motion": np.nan}, "motion to be finite and not negative"),
        ({"dtype": np.int16}, "makes float32 or float64; got dtype=int16"),
        ({"motion": 5.0}, "beyond the simulated tissue"),
    ],
)
def test_what_cannot_be_simulated_is_refused_in_words(wrong, words):
    with pytest.raises(ValueError, match=words):
        simulate_fusi(**{**SMALL, **wrong})
