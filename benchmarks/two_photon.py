"""Two-photon motion side by side with its peers: the same frames, template and truth.

python benchmarks/two_photon.py                    five seeds
python benchmarks/two_photon.py --seeds 1 --quick  a first look
python benchmarks/two_photon.py --only estimate_motion --frames 400 --snr 0.4 1.25
python benchmarks/two_photon.py --write            into RESULTS.md

All methods get the same template, the scene without noise, but for estimate_motion, which makes
its own of the frames. Errors are rms pixels after removing the common offset, over all frames and
seeds. The bound is that of Cramer and Rao, from the slopes of the noise-free scene and the noise.
Rates are frames over the processor time of all threads, times two: what two free cores would do.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import xarray as xr
from reporting import describe, publish
from scipy.ndimage import correlate1d

import partita as pt
from partita._solvers.compute.threads import Crew, single_blas
from partita._solvers.registration.displacement_field import field_basis
from partita._solvers.registration.frame_resampling import resample
from partita._solvers.registration.piecewise import PiecewiseTemplate
from partita._solvers.registration.translation import TranslationTemplate
from partita._solvers.registration.warping import unbend
from partita.datasets import simulate_two_photon

PACKAGES = ("partita", "numpy", "scipy", "numba", "scikit-image", "pystackreg")
REMARK = (
    "All get the noise-free scene as template, but for estimate_motion, which makes its own of the "
    "frames, whose time counts; errors are after removing the common offset, the "
    "bound is Cramer and Rao's; rates are frames over the processor time of all threads, times two."
)
PIXEL = 0.001
PATCH_PIXEL = 0.002


class Outcome(NamedTuple):
    """Errors in pixels, one array a seed, and processor seconds a frame."""

    errors: list[np.ndarray]
    seconds: list[float]

    def rms(self) -> float:
        return float(np.sqrt(np.mean([np.mean(error**2) for error in self.errors])))

    def worst(self) -> float:
        return max(float(np.abs(error).max()) for error in self.errors)

    def rate(self) -> float:
        return 2 / float(np.median(self.seconds))


Estimate = Callable[[np.ndarray, np.ndarray], np.ndarray]


def estimate_partita(frames: np.ndarray, template: np.ndarray) -> np.ndarray:
    with Crew() as crew:
        return TranslationTemplate(template).estimate(frames, crew=crew).shifts


def correct_partita(frames: np.ndarray, template: np.ndarray) -> np.ndarray:
    with Crew() as crew:
        shifts = TranslationTemplate(template).estimate(frames, crew=crew).shifts
        still = np.tile(np.eye(2), (len(frames), 1, 1))
        resample(frames, still, shifts, order=3, nan_outside=False, crew=crew)
    return shifts


def label(frames: np.ndarray) -> xr.DataArray:
    places = {dim: np.arange(n, dtype=float) for dim, n in zip("yx", frames.shape[1:], strict=True)}
    return xr.DataArray(frames, dims=("time", "y", "x"), coords=places)


def estimate_publicly(frames: np.ndarray, _: np.ndarray) -> np.ndarray:
    """Estimate as users do: labelled, and with a reference made of the frames."""
    motion = pt.preprocess.estimate_motion(label(frames), transform="translation")
    return motion["translation"].values


def register_publicly(frames: np.ndarray, _: np.ndarray) -> np.ndarray:
    """Estimate and apply as users do."""
    motion = pt.preprocess.estimate_motion(label(frames), transform="translation")
    pt.preprocess.apply_motion(label(frames), motion).compute()
    return motion["translation"].values


def estimate_scikit_image(frames: np.ndarray, template: np.ndarray) -> np.ndarray:
    """Upsampled cross-correlation to a hundredth of a pixel, without whitening."""
    from skimage.registration import phase_cross_correlation

    found = [
        phase_cross_correlation(template, frame, upsample_factor=100, normalization=None)[0]
        for frame in frames
    ]
    return -np.array(found)


def estimate_pystackreg(frames: np.ndarray, template: np.ndarray) -> np.ndarray:
    from pystackreg import StackReg

    aligner = StackReg(StackReg.TRANSLATION)
    found = [aligner.register(template, frame) for frame in frames]
    return np.array([[matrix[1, 2], matrix[0, 2]] for matrix in found])


TRANSLATIONS: dict[str, Estimate] = {
    "Partita, estimate": estimate_partita,
    "Partita, estimate and cubic resampling": correct_partita,
    "Partita, estimate_motion": estimate_publicly,
    "Partita, estimate_motion and apply_motion": register_publicly,
    "scikit-image phase_cross_correlation": estimate_scikit_image,
    "pystackreg TRANSLATION": estimate_pystackreg,
}


def compare_translations(
    snrs: list[float], *, seeds: list[int], n_times: int, only: str
) -> list[str]:
    rows = [
        "| 512 x 512, SNR a pixel | bound | allowed | method | rms, pixel | worst | frames/s |",
        "|---|---|---|---|---|---|---|",
    ]
    scenes = [
        simulate_two_photon(
            n_times=n_times, shape=(512, 512), spacing=PIXEL, motion=0.004, random_state=seed
        )
        for seed in seeds
    ]
    methods = {name: estimate for name, estimate in TRANSLATIONS.items() if only in name}
    for snr in snrs:
        bounds, outcomes = [], {name: Outcome([], []) for name in methods}
        for seed, scene in zip(seeds, scenes, strict=True):
            reference = scene.reference.values
            sigma = float(reference.std()) / snr
            noise = np.random.default_rng(seed).standard_normal(scene.recording.shape, np.float32)
            frames = scene.recording.values + np.float32(sigma) * noise
            bounds.append(cramer_rao(reference, sigma))
            truth = scene.translation.values / PIXEL
            for name, estimate in methods.items():
                run(outcomes[name], estimate, frames, reference, truth, few="stackreg" in name)
        bound = float(np.sqrt(np.mean(np.square(bounds))))
        rows += [
            f"| {snr:g} | {bound:.4f} | {1.2 * bound + 0.01:.4f} | {name} | {outcome.rms():.4f} "
            f"| {outcome.worst():.3f} | {outcome.rate():.0f} |"
            for name, outcome in outcomes.items()
            if outcome.errors
        ]
    return rows


def run(
    outcome: Outcome, estimate: Estimate, frames: np.ndarray, reference: np.ndarray,
    truth: np.ndarray, *, few: bool,
) -> None:  # fmt: skip
    """Add the errors and the time of one method, slow ones on a third of the frames."""
    kept = slice(None, None, 3 if few else 1)
    try:
        estimate(frames[:8], reference)
    except ImportError as error:
        print(f"left out: {error}", file=sys.stderr)
        return
    # Threads of BLAS that wait would be counted as work.
    with single_blas():
        clock = time.process_time()
        shifts = estimate(frames[kept], reference)
        outcome.seconds.append((time.process_time() - clock) / len(shifts))
    errors = shifts - truth[kept]
    outcome.errors.append(errors - errors.mean(axis=0))


def bend_partita(frames: np.ndarray, reference: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Estimate the translation and the field, resample, and return the dense field."""
    with Crew() as crew:
        shifts = TranslationTemplate(reference).estimate(frames, crew=crew).shifts
        found = PiecewiseTemplate(reference).estimate(frames, shifts=shifts, crew=crew)
        centres = found.centres_y, found.centres_x
        unbend(frames, found.displacement, *centres, order=3, nan_outside=False, crew=crew)
    return spread(found.displacement, found.centres_y, found.centres_x, truth.shape[2:])


def use_rigid(frames: np.ndarray, reference: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Translation alone, to see what bending costs."""
    shifts = correct_partita(frames, reference)
    return np.broadcast_to(shifts[:, :, None, None], truth.shape)


BENDINGS = {"Partita, all with resampling": bend_partita, "Partita, translation only": use_rigid}


def compare_bendings(photons: list[float], *, seeds: int, n_times: int) -> list[str]:
    rows = [
        "| 256 x 256, bent by up to 2 pixels | method | rms, pixel | without a rim of 32 | worst "
        "| frames/s |",
        "|---|---|---|---|---|---|",
    ]
    inside = (..., slice(32, -32), slice(32, -32))
    for count in photons:
        outcomes = {name: Outcome([], []) for name in BENDINGS}
        for seed in range(seeds):
            scene = simulate_two_photon(
                n_times=n_times, shape=(256, 256), spacing=PATCH_PIXEL, motion=0.004,
                warp=2 * PATCH_PIXEL, photons=count, random_state=seed,
            )  # fmt: skip
            frames, reference = scene.recording.values, scene.reference.values
            truth = scene.displacement.values / PATCH_PIXEL
            for name, bend in BENDINGS.items():
                bend(frames[:4], reference, truth[:4])
                clock = time.process_time()
                field = bend(frames, reference, truth)
                outcomes[name].seconds.append((time.process_time() - clock) / n_times)
                errors = field - truth
                errors = errors - errors.mean(axis=(0, 2, 3), keepdims=True)
                outcomes[name].errors.append(errors)
        for name, outcome in outcomes.items():
            middle = Outcome([error[inside] for error in outcome.errors], outcome.seconds)
            rows.append(
                f"| {count:g} photons | {name} | {outcome.rms():.3f} | {middle.rms():.3f} "
                f"| {outcome.worst():.2f} | {outcome.rate():.0f} |"
            )
    return rows


def cramer_rao(reference: np.ndarray, sigma: float) -> float:
    """Least rms error along an axis of any unbiased estimate, pixels."""
    # Sixth-order differences: plain ones are too flat on detail, and the bound would be too kind.
    stencil = np.array([-1, 9, -45, 0, 45, -9, 1]) / 60
    image = reference.astype(np.float64)
    slopes = np.stack([correlate1d(image, stencil, axis=axis).ravel() for axis in (0, 1)])
    return float(sigma * np.sqrt(np.trace(np.linalg.inv(slopes @ slopes.T)) / 2))


def spread(
    displacement: np.ndarray, centres_y: np.ndarray, centres_x: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    """Displacement at every pixel."""
    rows, columns = field_basis(centres_y, shape[0]), field_basis(centres_x, shape[1])
    return rows @ displacement @ columns.T


def main() -> None:
    """Run what the command line asks for and print it as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--snr", type=float, nargs="+", help="noise of the translations")
    parser.add_argument("--only", default="", help="translations whose names hold it, no bending")
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--quick", action="store_true", help="fewer levels of noise")
    parser.add_argument("--write", action="store_true", help="append to RESULTS.md")
    options = parser.parse_args()
    snrs = options.snr or ([0.3, 1.28] if options.quick else [0.3, 0.6, 1.28, 3.0, 10.0])
    photons = [5.0] if options.quick else [2.0, 5.0, 20.0]
    lines = describe("Two-photon motion", PACKAGES, REMARK)
    seeds = list(range(options.first, options.first + options.seeds))
    lines += compare_translations(snrs, seeds=seeds, n_times=options.frames, only=options.only)
    if not options.only:
        lines += ["", *compare_bendings(photons, seeds=options.seeds, n_times=options.frames)]
    publish(lines, write=options.write)


if __name__ == "__main__":
    main()
