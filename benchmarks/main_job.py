"""The main job on a recording of full size: time and memory from z-score to parts.

python benchmarks/main_job.py             print
python benchmarks/main_job.py --write     print, and append to RESULTS.md
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time

import numpy as np
import xarray as xr
from reporting import describe, publish

import partita as pt

IMPORT = (
    "import time, numpy, xarray; start = time.perf_counter(); import partita; "
    "print(time.perf_counter() - start)"
)


def peak_megabytes() -> float:
    """Return the most memory this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def time_import() -> float:
    """Return the seconds that ``import partita`` takes beyond numpy and xarray."""
    runs = [subprocess.check_output([sys.executable, "-c", IMPORT], text=True) for _ in range(5)]
    return statistics.median(map(float, runs))


def time_job(recording: xr.DataArray, mode: str, seed: int) -> tuple[float, float]:
    """Return the seconds of standardising and of fitting ten parts."""
    start = time.perf_counter()
    signed = recording.pipe(pt.preprocess.zscore).pipe(pt.preprocess.split_sign)
    middle = time.perf_counter()
    model = pt.NMF(10, mode=mode, random_state=seed).fit(signed)
    if not model.converged_:
        raise RuntimeError(f"seed {seed} did not converge in {mode} mode")
    return middle - start, time.perf_counter() - middle


def main() -> None:
    """Measure, print and, if asked, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="append to RESULTS.md")
    options = parser.parse_args()
    recording = pt.datasets.simulate_fusi(random_state=0)["recording"]
    time_job(recording.isel(time=slice(200)), "temporal", 0)  # compile first
    before = peak_megabytes()
    rows = []
    for mode in ("temporal", "spatial"):
        steps = np.array([time_job(recording, mode, seed) for seed in range(5)])
        (prepare, fit), low, high = np.median(steps, 0), steps[:, 1].min(), steps[:, 1].max()
        rows.append(f"| {mode} | {prepare:.2f} | {fit:.2f} ({low:.2f}-{high:.2f}) |")
    lines = [
        *describe("The main job", ("partita", "numpy", "numba"), "751 x 1 x 114 x 80, float32."),
        "| mode | z-score and split, s | NMF of ten parts, s, median (range) of five seeds |",
        "|---|---|---|",
        *rows,
        "",
        f"`import partita` takes {time_import() * 1e3:.1f} ms beyond numpy and xarray. The "
        f"recording has {recording.nbytes / 1e6:.0f} MB, split {recording.nbytes / 5e5:.0f} MB; "
        f"the process held {before:.0f} MB before the job and {peak_megabytes():.0f} MB at its "
        "peak.",
    ]
    publish(lines, write=options.write)


if __name__ == "__main__":
    main()
