"""The whole pipeline on recordings from scanners and microscopes."""

from __future__ import annotations

import warnings
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
import scipy.io
import xarray as xr

import partita as pt

pytestmark = [pytest.mark.realdata, pytest.mark.slow]


def fit_both_modes(recording: xr.DataArray, n_components: int) -> pt.NMF:
    """Fit in both modes, which must converge without a warning, and return the temporal fit."""
    models = {}
    for mode in ("temporal", "spatial"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            models[mode] = pt.NMF(n_components, mode=mode, random_state=0).fit(recording)
        assert models[mode].converged_
        assert (models[mode].signals_ >= 0).all()
        assert (models[mode].maps_.fillna(0) >= 0).all()
    errors = [model.reconstruction_err_ for model in models.values()]
    assert errors[0] == pytest.approx(errors[1], rel=5e-3)
    return models["temporal"]


def standardised(recording: xr.DataArray) -> xr.DataArray:
    """Return z-scores with their signs split."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*do not change over time")
        return recording.pipe(pt.preprocess.zscore).pipe(pt.preprocess.split_sign)


@pytest.mark.parametrize(
    "name", ["haxby2001_1slice/run001.nii.gz", "nitime_fmri1.nii.gz", "nitime_fmri2.nii.gz"]
)
def test_fmri_runs_come_apart_in_both_modes(real_data: Path, name: str, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*the voxel axes lie up to 12 degrees")
        recording = pt.load(real_data / "fmri" / name)
    nmf = fit_both_modes(standardised(recording), 8)
    written = pt.save(nmf, tmp_path / "run_desc-nmf")
    again = pt.load_model(written[-1])
    xr.testing.assert_identical(again.maps_, nmf.maps_)
    positive = next(path for path in written if "sign-positive" in path.name)
    affine = nibabel.load(positive).affine
    np.testing.assert_allclose(affine, nibabel.load(real_data / "fmri" / name).affine, atol=1e-4)
    figure = pt.plotting.plot_components(nmf, components=[0, 1])
    figure.savefig(tmp_path / "components.png")


@pytest.mark.slow
def test_all_runs_of_an_fmri_session_come_apart(real_data: Path) -> None:
    recording = pt.load(real_data / "fmri" / "pymvpa_bold.nii.gz")
    assert dict(recording.sizes) == {"time": 1452, "z": 1, "y": 20, "x": 40}
    nmf = fit_both_modes(standardised(recording), 10)
    assert float(nmf.energy_.sum()) > 0.1


@pytest.mark.parametrize("name", ["nibabel_functional.nii", "nipy_functional.nii.gz"])
def test_short_runs_with_odd_headers_come_apart(real_data: Path, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is odd about each is tested with the files
        recording = pt.load(real_data / "fmri" / name)
    fit_both_modes(standardised(recording), 4)


def worm(folder: Path) -> xr.DataArray:
    data = np.load(folder / "worm" / "worm_2022-07-27-45.npz")
    return xr.DataArray(
        data["F_over_F20"], dims=("time", "neuron"), coords={"time": data["time_s"]}
    )


def widefield(folder: Path) -> xr.DataArray:
    data = scipy.io.loadmat(folder / "widefield" / "isfn_data_animal1.mat")
    return xr.DataArray(
        data["x"].T.astype("float32"), dims=("time", "parcel"),
        coords={"time": np.arange(4000) / 10},
    )  # fmt: skip


def two_photon(folder: Path) -> xr.DataArray:
    movie = pt.load(folder / "movies" / "example.tif", frame_rate=10, chunks=None)
    return pt.preprocess.register(movie)


@pytest.mark.parametrize("read", [worm, widefield, two_photon])
def test_optical_recordings_come_apart_after_either_preparation(real_data: Path, read) -> None:
    recording = read(real_data)
    fit_both_modes(standardised(recording), 5)
    if read is two_photon:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*6 of 32768 voxels comes near zero")
            change = pt.preprocess.delta_f_over_f(recording, window=None, rectify=True)
    else:  # given as changes: F / F20, and deviations from the mean
        change = pt.preprocess.rectify(recording - (1 if read is worm else 0))
    fit_both_modes(change, 5)


@pytest.mark.slow
@pytest.mark.parametrize("prepare", [standardised, pt.preprocess.delta_f_over_f])
def test_a_larger_rendered_movie_comes_apart_after_either_preparation(
    real_data: Path, prepare
) -> None:
    factors = np.load(real_data / "calcium" / "sue2x_factors.npz")
    movie = np.tensordot(factors["C"].T[:1500], factors["A"], 1)
    noise = 0.03 * np.random.default_rng(0).standard_normal(movie.shape)
    recording = xr.DataArray(
        (movie + movie.max() * (0.3 + noise)).astype("float32"), dims=("time", "y", "x"),
        coords={"time": np.arange(1500) / 30},
    )  # fmt: skip
    fit_both_modes(prepare(recording).clip(min=0), 20)


def test_cells_of_a_rendered_calcium_movie_are_found(real_data: Path) -> None:
    factors = np.load(real_data / "calcium" / "demo_factors.npz")
    footprints, traces = factors["A"], factors["C"]
    rng = np.random.default_rng(0)
    movie = np.tensordot(traces.T, footprints, 1)
    movie += 0.05 * movie.std() * rng.standard_normal(movie.shape)
    recording = xr.DataArray(
        movie.astype("float32"),
        dims=("time", "y", "x"),
        coords={"time": np.arange(len(movie)) / 10, "y": np.arange(60.0), "x": np.arange(80.0)},
    )
    nmf = fit_both_modes(pt.preprocess.rectify(recording), len(footprints))
    found = nmf.maps_.values.reshape(len(footprints), -1)
    true = footprints.reshape(len(footprints), -1)
    true = true / np.linalg.norm(true, axis=1, keepdims=True)
    assert np.median((true @ found.T).max(axis=1)) > 0.9


def test_the_baseline_under_rendered_real_transients_is_found(real_data: Path) -> None:
    factors = np.load(real_data / "calcium" / "demo_factors.npz")
    activity = np.tensordot(factors["C"].T, factors["A"], 1)
    times = np.arange(len(activity)) / 10
    bleached = 1 - 0.25 * (1 - np.exp(-times / 100))
    truth = 0.5 * activity.max() * bleached[:, None, None]
    noise = 0.05 * activity.max() * np.random.default_rng(0).standard_normal(activity.shape)
    recording = xr.DataArray(
        (truth + activity + noise).astype("float32"),
        dims=("time", "y", "x"),
        coords={"time": times},
    )
    error = pt.preprocess.estimate_baseline(recording) / truth - 1
    assert float(np.sqrt((error**2).mean())) < 0.02
    change = pt.preprocess.delta_f_over_f(recording, rectify=True)
    fit_both_modes(change, 8)


def test_a_table_of_neurons_comes_apart(real_data: Path) -> None:
    data = scipy.io.loadmat(real_data / "songbird" / "MackeviciusData.mat")
    neurons = data["NEURAL"]
    recording = xr.DataArray(
        neurons.T.astype("float32"),
        dims=("time", "neuron"),
        coords={"time": np.arange(neurons.shape[1]) / 30},
    )
    nmf = fit_both_modes(recording, 5)
    assert nmf.maps_.dims == ("component", "neuron")
    pt.plotting.plot_components(nmf)


def linear_shifts(recording: xr.DataArray) -> xr.DataArray:
    """Estimate in-plane motion to first order: each frame on the slopes of the mean image."""
    mean = recording.mean("time")
    slopes = np.stack([np.gradient(mean.values, axis=mean.get_axis_num(dim)).ravel()
                       for dim in ("y", "x")])  # fmt: skip
    design = np.column_stack([mean.values.ravel(), *slopes])
    change = (recording - mean).values.reshape(recording.sizes["time"], -1)
    weights, *_ = np.linalg.lstsq(design, change.T, rcond=None)
    return xr.DataArray(weights[1:].T, dims=("time", "axis"), coords={"time": recording["time"]})


@pytest.mark.parametrize("run", [1, 6, 12])
def test_cleaning_an_fmri_run_makes_it_steadier(real_data: Path, run: int) -> None:
    recording = pt.load(real_data / f"fmri/haxby2001_1slice/run{run:03}.nii.gz", chunks=None)
    brain = pt.preprocess.brain_mask(recording)
    assert 0.5 < float(brain.mean()) < 0.7
    inside = recording.where(brain)
    detrended = pt.preprocess.detrend(inside, drift="cosine", longest_period=128, keep_mean=True)
    shifts = pt.preprocess.detrend(linear_shifts(recording), drift="cosine", longest_period=128)
    still = pt.preprocess.regress_out(detrended, shifts, keep_mean=True)
    steadiness = [float(pt.preprocess.tsnr(step).median()) for step in (inside, detrended, still)]
    assert steadiness[0] < steadiness[1] < steadiness[2]
    jumps = [float(pt.preprocess.dvars(step, mask=brain).mean()) for step in (inside, still)]
    assert jumps[1] < jumps[0]


def test_motion_parameters_of_another_run_are_refused(real_data: Path) -> None:
    recording = pt.load(real_data / "fmri" / "pymvpa_bold.nii.gz")
    motion = xr.DataArray(
        np.loadtxt(real_data / "fmri" / "pymvpa_bold_mc.par"), dims=("time", "parameter")
    )
    with pytest.raises(ValueError, match=r"has 19 samples along 'time', and the recording 1452"):
        pt.preprocess.regress_out(recording, motion)


@pytest.mark.parametrize("k", [5, 6, 7])
def test_default_fits_of_muscles_end_where_the_best_of_many_starts_does(real_data: Path, k) -> None:
    table = pd.read_csv(real_data / "emg" / "filt_walking_ID0012.csv")
    recording = xr.DataArray(table.iloc[:, 1:].to_numpy(), dims=("time", "muscle"))
    best = pt.NMF(k, n_starts=16, random_state=9).fit(recording).reconstruction_err_
    for seed in range(4):
        found = pt.NMF(k, random_state=seed).fit(recording).reconstruction_err_
        assert found <= best * (1 + 1e-4)
