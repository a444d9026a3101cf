"""Rigid registration: accuracy and speed beside SimpleITK, pystackreg and scikit-image.

python benchmarks/registration.py                 five seeds of ours, the peers on the first
python benchmarks/registration.py --seeds 3       fewer
python benchmarks/registration.py --no-peers      ours alone
python benchmarks/registration.py --write         append to RESULTS.md too

The peers come with ``pip install SimpleITK pystackreg scikit-image``; one that is not installed is
left out. SimpleITK is driven as a functional-ultrasound package drives it: each frame against the
first, a rigid transform about the centre, Mattes mutual information or correlation, regular-step
gradient descent, linear interpolation; on the full recording it is run on a spread of frames. As
ConfUSIus 0.8 drives it by default: a slice is a volume of four equal planes with six parameters,
correlation of all voxels, plain gradient descent at a rate of 0.01, one thread a frame.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from typing import NamedTuple

import moving_scenes
import numpy as np
import scipy.optimize
import xarray as xr
from reporting import describe, publish

import partita as pt

PACKAGES = (
    "partita", "numpy", "scipy", "numba", "SimpleITK", "pystackreg", "scikit-image",
)  # fmt: skip
FUSI = {"motion": 0.03, "transient": 0.23, "rotation": 0.2}
SPACING = np.array([0.04832, 0.1])
SLICE = 0.4  # mm, how thick
SOME = 60  # frames of the full recording that SimpleITK is timed on


class Scene(NamedTuple):
    """A kind of scene, and what is asked of an answer to it."""

    name: str
    shape: tuple[int, ...]
    n: int
    reach: float
    turn: float
    snr: float


SCENES = [
    Scene("±8 px, ±5°, SNR 1.7", (128, 128), 200, 8, 5, 1.7),
    Scene("±2.5 px, ±1.5°, SNR 1.0", (128, 128), 200, 2.5, 1.5, 1.0),
    Scene("volumes, ±3 voxels, ±1.5°, SNR 1.7", (24, 96, 96), 60, 3, 1.5, 1.7),
]

Answer = tuple[np.ndarray, np.ndarray]


def by_partita(frames: np.ndarray, spacing: np.ndarray) -> tuple[Answer, np.ndarray]:
    """Estimate and resample; turns and shifts in voxels about the centre."""
    dims = ("time", "z", "y", "x") if frames.ndim == 4 else ("time", "y", "x")
    places = {
        dim: step * np.arange(n)
        for dim, step, n in zip(dims[1:], spacing, frames.shape[1:], strict=True)
    }
    recording = xr.DataArray(frames, dims=dims, coords=places)
    motion = pt.preprocess.estimate_motion(recording)
    still = pt.preprocess.apply_motion(recording, motion)
    d = frames.ndim - 1
    turn = motion["affine"].values[:, :d, :d]
    return (turn, motion["translation"].values), still.values


def by_simpleitk(frames: np.ndarray, spacing: np.ndarray, metric: str = "mattes") -> Answer:
    """Register each frame to the first."""
    import SimpleITK as sitk

    d = frames.ndim - 1

    def image(frame: np.ndarray) -> sitk.Image:
        made = sitk.GetImageFromArray(np.sqrt(np.maximum(frame, 0)))
        made.SetSpacing([float(step) for step in spacing[::-1]])
        return made

    fixed = image(frames[0])
    middle = fixed.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in fixed.GetSize()])
    turn, shift = [], []
    for frame in frames:
        method = sitk.ImageRegistrationMethod()
        if metric == "mattes":
            method.SetMetricAsMattesMutualInformation(50)
        else:
            method.SetMetricAsCorrelation()
        method.SetInterpolator(sitk.sitkLinear)
        method.SetOptimizerAsRegularStepGradientDescent(0.1, 1e-5, 100)
        method.SetOptimizerScalesFromPhysicalShift()
        start = sitk.Euler2DTransform() if d == 2 else sitk.Euler3DTransform()
        start.SetCenter(middle)
        method.SetInitialTransform(start, inPlace=True)
        try:
            method.Execute(fixed, image(frame))
        except RuntimeError:
            start.SetIdentity()
        # Their axes are x, y(, z); ours the other way round.
        turn.append(np.array(start.GetMatrix()).reshape(d, d)[::-1, ::-1])
        shift.append(np.array(start.GetTranslation())[::-1])
    return np.array(turn), np.array(shift)


def by_confusius(frames: np.ndarray, spacing: np.ndarray) -> Answer:
    """Register each frame of a plane to the first, as a volume of equal planes."""
    import SimpleITK as sitk

    def image(frame: np.ndarray) -> sitk.Image:
        made = sitk.GetImageFromArray(frame[None].astype(np.float32))
        made.SetSpacing([*map(float, spacing[::-1]), SLICE])
        return sitk.Expand(made, [1, 1, 4])

    fixed = image(frames[0])
    threads = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    turn, shift = [], []
    for frame in frames:
        moving = image(frame)
        method = sitk.ImageRegistrationMethod()
        method.SetMetricAsCorrelation()
        method.SetInterpolator(sitk.sitkLinear)
        method.SetOptimizerAsGradientDescent(0.01, 100, 1e-6, 10)
        method.SetOptimizerScalesFromPhysicalShift()
        centred = sitk.CenteredTransformInitializerFilter.GEOMETRY
        start = sitk.CenteredTransformInitializer(fixed, moving, sitk.Euler3DTransform(), centred)
        start = sitk.Euler3DTransform(start)
        method.SetInitialTransform(start, inPlace=True)
        method.Execute(fixed, moving)
        turn.append(np.array(start.GetMatrix()).reshape(3, 3)[1::-1, 1::-1])
        shift.append(np.array(start.GetTranslation())[1::-1])
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    return np.array(turn), np.array(shift)


def by_pystackreg(frames: np.ndarray, spacing: np.ndarray) -> Answer:
    """Register each frame of a plane to the mean, in voxels: it knows no others."""
    from pystackreg import StackReg

    found = StackReg(StackReg.RIGID_BODY).register_stack(frames, reference="mean")
    turn, shift = found[:, :2, :2][:, ::-1, ::-1], found[:, :2, 2][:, ::-1]
    middle = (np.array(frames.shape[1:]) - 1) / 2
    shift = shift + turn @ middle - middle
    scale = spacing[:, None] / spacing
    return turn * scale, shift * spacing


def by_scikit_image(frames: np.ndarray, spacing: np.ndarray) -> Answer:
    """Find shifts alone, by upsampled cross-correlation with the mean."""
    from skimage.registration import phase_cross_correlation

    mean = frames.mean(axis=0)
    found = [
        phase_cross_correlation(frame, mean, upsample_factor=50, normalization=None)[0]
        for frame in frames
    ]
    d = frames.ndim - 1
    return np.tile(np.eye(d), (len(frames), 1, 1)), np.array(found) * spacing


PEERS: list[tuple[str, str, Callable[..., Answer]]] = [
    ("SimpleITK", "SimpleITK", by_simpleitk),
    ("pystackreg", "pystackreg", by_pystackreg),
    ("scikit-image", "skimage", by_scikit_image),
]

FUSI_PEERS = [("SimpleITK as ConfUSIus drives it", "SimpleITK", by_confusius), *PEERS]


def timed(work: Callable[[], object]) -> tuple[object, float, float]:
    """Return an answer, the seconds on the clock, and those that processors were busy."""
    clock, busy = time.perf_counter(), time.process_time()
    answer = work()
    return answer, time.perf_counter() - clock, time.process_time() - busy


def error_field(found: Answer, truth: Answer, spacing: np.ndarray, shape: tuple[int, ...]) -> dict:
    """Compare two motions in the units of the spacing."""
    return moving_scenes.compare(found, truth, shape, spacing)


def compare_fusi(seeds: int, peers: bool) -> list[str]:
    """Full-sized power Doppler: residual in micrometres, seconds."""
    rows = [
        "| full-sized fUSI, 751 x 114 x 80 | mean residual, µm | worst frame, µm | s | CPU s "
        "| CPU ms a frame |",
        "|---|---|---|---|---|---|",
    ]
    for seed in range(seeds):
        truth = pt.datasets.simulate_fusi(**FUSI, random_state=seed)
        frames = truth["recording"].values[:, 0]
        known = truth["affine"].values[:, :2, :2], truth["translation"].values
        (found, _), clock, busy = timed(lambda frames=frames: by_partita(frames, SPACING))
        field = 1e3 * error_field(found, known, SPACING, frames.shape[1:])["field"]
        rows.append(
            f"| Partita, seed {seed} | {field.mean():.2f} | {field.max():.2f} | {clock:.2f} "
            f"| {busy:.2f} | {1e3 * busy / len(frames):.2g} |"
        )
        if seed or not peers:
            continue
        for name, module, work in FUSI_PEERS:
            if not installed(module):
                continue
            some = np.linspace(0, len(frames) - 1, SOME).round().astype(int)
            some = some if module == "SimpleITK" else np.arange(len(frames))
            part = frames[some]
            found, clock, busy = timed(lambda work=work, part=part: work(part, SPACING))
            truly = known[0][some], known[1][some]
            field = 1e3 * error_field(found, truly, SPACING, frames.shape[1:])["field"]
            scale = len(frames) / len(some)
            note = f", {SOME} frames, times scaled" if scale > 1 else ""
            rows.append(
                f"| {name}{note} | {field.mean():.2f} | {field.max():.2f} | {clock * scale:.1f} "
                f"| {busy * scale:.1f} | {1e3 * busy / len(some):.3g} |"
            )
    return rows


def compare_scenes(seeds: int, peers: bool) -> list[str]:
    """Scenes under white noise: rms in voxels and degrees, frames a second."""
    rows = [
        "| scene | by | rms, voxel | rms, ° | worst frame, voxel | frames/s | frames/(2 CPU s) |",
        "|---|---|---|---|---|---|---|",
    ]
    for scene in SCENES:
        for seed in range(seeds):
            moving = moving_scenes.make_moving(
                seed,
                n=scene.n,
                shape=scene.shape,
                reach=scene.reach,
                turn=scene.turn,
                snr=scene.snr,
            )
            one = np.ones(len(scene.shape))
            truth = moving_scenes.turns(moving.angles), moving.shift
            by: list[tuple[str, Callable[..., Answer], int]] = [
                (f"Partita, seed {seed}", lambda *given: by_partita(*given)[0], scene.n)
            ]
            few = 6 if len(scene.shape) == 3 else SOME
            for name, module, work in PEERS if peers and not seed else []:
                volume = len(scene.shape) == 3
                if installed(module) and not (volume and module == "pystackreg"):
                    by.append((name, work, few if module == "SimpleITK" else scene.n))
            for name, work, n in by:
                frames = moving.frames[:n]
                found, clock, busy = timed(lambda given=(work, frames, one): given[0](*given[1:]))
                error = error_field(found, (truth[0][:n], truth[1][:n]), one, scene.shape)
                rows.append(
                    f"| {scene.name} | {name} | {error['rms']:.4f} | {error['degrees']:.4f} "
                    f"| {error['field'].max():.3f} | {n / clock:.1f} | {2 * n / busy:.1f} |"
                )
    return rows


def compare_sources(seeds: int, peers: bool) -> list[str]:
    """Correlate the sources that NMF finds with the true ones, after each registration."""
    rows = [
        "| sources found by NMF, mean correlation with the truth | maps | courses |",
        "|---|---|---|",
    ]
    scores: dict[str, list[tuple[float, float]]] = {}
    for seed in range(seeds):
        truth = pt.datasets.simulate_fusi(**FUSI, random_state=seed)
        recording = truth["recording"]
        cases = {
            "without motion": pt.datasets.simulate_fusi(random_state=seed)["recording"],
            "raw": recording,
            "Partita, cubic": pt.preprocess.register(recording),
            "Partita, linear": pt.preprocess.register(recording, interpolation="linear"),
        }
        if peers and not seed and installed("skimage"):
            cases["scikit-image shifts, cubic"] = by_shifts(recording)
        for name, given in cases.items():
            scores.setdefault(name, []).append(score_sources(given, truth))
    for name, values in scores.items():
        columns = [
            f"{np.mean(v):.3f} ({min(v):.2f} to {max(v):.2f})" for v in zip(*values, strict=True)
        ]
        rows.append(f"| {name} | {' | '.join(columns)} |")
    return rows


def by_shifts(recording: xr.DataArray) -> xr.DataArray:
    """Take out the shifts that scikit-image finds."""
    _, shift = by_scikit_image(recording.values[:, 0], SPACING)
    motion = pt.preprocess.estimate_motion(recording, transform="translation")
    motion["affine"].values[:, :2, 2] = shift - np.median(shift, axis=0)
    return pt.preprocess.apply_motion(recording, motion)


def score_sources(recording: xr.DataArray, truth: xr.Dataset) -> tuple[float, float]:
    """Match parts of a standardised recording with the true sources, by maps and by courses."""
    signed = pt.preprocess.split_sign(pt.preprocess.zscore(recording))
    with warnings.catch_warnings(action="ignore"):
        model = pt.NMF(truth.sizes["component"], random_state=0).fit(signed)
    maps = pt.preprocess.merge_sign(model.maps_).values.reshape(truth.sizes["component"], -1)
    true = truth["maps"].values.reshape(len(maps), -1)
    pairs = [(np.abs(maps), true), (model.signals_.values.T, truth["signals"].values.T)]
    scores = []
    for found, known in pairs:
        alike = np.abs(np.corrcoef(found, known)[: len(found), len(found) :])
        matched = scipy.optimize.linear_sum_assignment(-alike)
        scores.append(float(alike[matched].mean()))
    return scores[0], scores[1]


def installed(module: str) -> bool:
    """Tell whether a peer is there."""
    try:
        __import__(module)
    except ImportError:
        return False
    return True


def main() -> None:
    """Measure, print and, if asked, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--write", action="store_true", help="append to RESULTS.md")
    options = parser.parse_args()
    peers = not options.no_peers
    for shape in ((20, 32, 32), (12, 20, 24, 24)):  # compile first
        by_partita(np.random.default_rng(0).random(shape, np.float32), np.ones(len(shape) - 1))
    remark = "Seconds are those of estimating and resampling by a cubic spline (peers: estimating)."
    lines = describe("Rigid registration", PACKAGES, remark)
    for compare in (compare_fusi, compare_scenes, compare_sources):
        lines += [*compare(options.seeds, peers), ""]
    publish(lines[:-1], write=options.write)


if __name__ == "__main__":
    main()
