"""Whole fits, registration and baselines of this checkout beside those of another one, in one run.

python benchmarks/against.py --other ../before/src              three rounds, medians and spread
python benchmarks/against.py --other ../before/src --only fUSI  the measures whose names hold it
python benchmarks/against.py --other ../before/src --write      append to RESULTS.md too

Each measure runs in a process of its own, the two checkouts in turn, so that what drifts on the
machine drifts for both. Time is that of the processors, of the second of two calls; what a fit ends
with is compared too.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr
from recordings import RECORDINGS, make_fusi
from reporting import HERE, describe, publish

Measured = tuple[float, float]  # seconds of processor, and a number that should not change


def fit(name: str, seed: int, **parameters: object) -> Measured:
    """Fit one of the recordings."""
    import partita as pt

    make, k = RECORDINGS[name]
    recording = xr.DataArray(make(), dims=("time", "voxel"))
    pt.NMF(k, max_iter=2, tol=0, random_state=0, **parameters).fit(recording)
    clock = time.process_time()
    model = pt.NMF(k, random_state=seed, **parameters).fit(recording)
    return time.process_time() - clock, float(model.losses_[-1])


def small_divergence(seed: int) -> Measured:
    """Fit Kullback-Leibler to a part of the fUSI-like recording."""
    import partita as pt

    recording = xr.DataArray(make_fusi()[:300, :6000], dims=("time", "voxel"))
    pt.NMF(10, loss="kullback-leibler", max_iter=2, tol=0).fit(recording)
    clock = time.process_time()
    model = pt.NMF(10, loss="kullback-leibler", random_state=seed, tol=3e-3).fit(recording)
    return time.process_time() - clock, float(model.losses_[-1])


def rigid(seed: int) -> Measured:
    """Estimate the rigid motion of a functional-ultrasound recording."""
    import partita as pt

    simulated = pt.datasets.simulate_fusi(n_times=400, motion=0.03, rotation=0.2, random_state=seed)
    return _timed(lambda: pt.preprocess.estimate_motion(simulated.recording), motion=True)


def translation(seed: int) -> Measured:
    """Estimate the displacement of two-photon frames."""
    import partita as pt

    recording = pt.datasets.simulate_two_photon(random_state=seed).recording
    return _timed(
        lambda: pt.preprocess.estimate_motion(recording, transform="translation"), motion=True
    )


def baseline(seed: int) -> Measured:
    """Take ΔF/F of traces."""
    import partita as pt

    recording = pt.datasets.simulate_traces(random_state=seed).recording
    repeated = xr.concat([recording] * 30, "repeat").transpose("time", ...)
    return _timed(lambda: pt.preprocess.delta_f_over_f(repeated, window=30.0), motion=False)


def _timed(work: Callable[[], object], *, motion: bool) -> Measured:
    work()
    clock = time.process_time()
    answer = work()
    seconds = time.process_time() - clock
    values = _first_of(answer) if motion else answer
    return seconds, float(np.abs(np.asarray(values)).mean())


def _first_of(motion: object) -> xr.DataArray:
    return next(iter(motion.data_vars.values()))  # type: ignore[attr-defined]


MEASURES: dict[str, Callable[[int], Measured]] = {
    **{name: (lambda seed, name=name: fit(name, seed)) for name in RECORDINGS},
    "fUSI-like, k 10, maps_l1 0.05": lambda seed: fit(
        "fUSI-like 751 x 18240, k 10", seed, maps_l1=0.05
    ),
    "fUSI-like 300 x 6000, k 10, Kullback-Leibler": small_divergence,
    "rigid motion, 400 frames": rigid,
    "translation, two-photon": translation,
    "ΔF/F": baseline,
}


def run(name: str, seed: int, source: Path) -> Measured:
    """Measure in a process of its own, with the package of a checkout."""
    command = [sys.executable, __file__, "--measure", name, "--seed", str(seed)]
    environment = {**os.environ, "PYTHONPATH": str(source)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    seconds, number = json.loads(done.stdout.splitlines()[-1])
    return seconds, number


def compare(name: str, other: Path, rounds: int) -> str:
    """Measure both in turn; one row of the table."""
    here = HERE.parent / "src"
    pairs = [(run(name, seed, here), run(name, seed, other)) for seed in range(rounds)]
    ratios = [ours[0] / theirs[0] for ours, theirs in pairs]
    change = max((ours[1] / theirs[1] - 1 for ours, theirs in pairs), key=abs)
    seconds = np.median([ours[0] for ours, _ in pairs])
    return (
        f"| {name} | {seconds:.2f} s | {np.median(ratios):.2f} | "
        f"{min(ratios):.2f}-{max(ratios):.2f} | {change:+.1e} |"
    )


def main() -> None:
    """Compare, print, and if asked keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--other", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--measure")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.measure:
        with warnings.catch_warnings(action="ignore"):
            print(json.dumps(MEASURES[options.measure](options.seed)))
        return
    lines = describe("This checkout beside another", ("numpy", "scipy", "numba"))
    lines += ["| | this one | over the other | least-most | its number against the other's |"]
    lines += ["|---|---|---|---|---|"]
    for name in MEASURES:
        if options.only in name:
            lines.append(compare(name, options.other.resolve(), options.rounds))
            print(lines[-1], flush=True)
    publish(lines, write=options.write)


if __name__ == "__main__":
    main()
