"""Baselines of fluorescence: errors on a known truth, and time.

python benchmarks/baselines.py             print
python benchmarks/baselines.py --write     print, and append to RESULTS.md
python benchmarks/baselines.py --full      time 250 000 pixels rather than a tenth of them

The error is the root mean square of F0 over its truth less one, in per cent, over all times of
all traces and seeds; in brackets its mean. `suite2p` is the published recipe of its "maximin"
baseline (Gaussian filter of sd 10 frames, minimum and then maximum over 60 s), `CaImAn` its running
8th percentile, here over 30 s on every fifth frame, both written with scipy.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import scipy.ndimage
import xarray as xr
from reporting import describe, publish

import partita as pt

SNRS, RATES = (2, 3, 8, 20), (0.1, 0.3, 0.5)
SEEDS = range(1000, 1005)
RATE = 30.0
Method = Callable[[xr.DataArray], np.ndarray]


def suite2p(recording: xr.DataArray) -> np.ndarray:
    """Return suite2p's baseline of traces (time, neuron)."""
    smooth = scipy.ndimage.gaussian_filter1d(recording.values, 10, axis=0)
    low = scipy.ndimage.minimum_filter1d(smooth, int(60 * RATE), axis=0)
    return scipy.ndimage.maximum_filter1d(low, int(60 * RATE), axis=0)


def caiman(recording: xr.DataArray) -> np.ndarray:
    """Return a running 8th percentile of traces (time, neuron)."""
    thin = scipy.ndimage.percentile_filter(recording.values[::5], 8, (int(6 * RATE), 1))
    return np.repeat(thin, 5, axis=0)[: recording.sizes["time"]]


def ours(baseline: str) -> Method:
    """Return one of Partita's baselines, with its defaults."""
    return lambda recording: pt.preprocess.estimate_baseline(recording, baseline=baseline).values


METHODS: dict[str, Method] = {
    "minimum": ours("minimum"),
    "adaptive": ours("adaptive"),
    "exponential": ours("exponential"),
    "maximin": ours("maximin"),
    "percentile": ours("percentile"),
    "suite2p": suite2p,
    "CaImAn": caiman,
}


def measure(snr: float, rate: float, decay_time: float) -> dict[str, tuple[float, float]]:
    """Return rms and mean error of every method, per cent."""
    errors: dict[str, list[np.ndarray]] = {name: [] for name in METHODS}
    for seed in SEEDS:
        truth = pt.datasets.simulate_traces(
            snr=snr, event_rate=rate, decay_time=decay_time, n_neurons=8, random_state=seed
        )
        for name, method in METHODS.items():
            errors[name].append(100 * (method(truth.recording) / truth.baseline.values - 1))
    stacked = {name: np.concatenate(found, axis=1) for name, found in errors.items()}
    return {name: (np.sqrt((e**2).mean()), e.mean()) for name, e in stacked.items()}


def accuracy_table(decay_time: float) -> list[str]:
    """Return the grid of signal-to-noise ratios and rates as Markdown."""
    rows = [
        f"| SNR | events a second | {' | '.join(METHODS)} |",
        "|" + "---|" * (2 + len(METHODS)),
    ]
    for snr in SNRS:
        for rate in RATES:
            found = measure(snr, rate, decay_time)
            cells = [f"{rms:.1f} ({mean:+.1f})" for rms, mean in found.values()]
            rows.append(f"| {snr} | {rate} | {' | '.join(cells)} |")
            print(rows[-1], flush=True)
    return rows


def speed_table(n_pixels: int) -> list[str]:
    """Return wall-clock and processor seconds for 3000 x 250 000 pixels as Markdown."""
    rng = np.random.default_rng(0)
    values = rng.standard_normal((3000, n_pixels), dtype=np.float32)
    values *= 10
    values += 100
    recording = xr.DataArray(values, dims=("time", "pixel"), coords={"time": np.arange(3000) / 10})
    scale = 250_000 / n_pixels
    rows = [
        "| 3000 x 250 000 float32, 10 Hz, window 30 s | wall-clock, s | processor / 2, s |",
        "|---|---|---|",
    ]
    for name in ("minimum", "adaptive", "maximin", "percentile", "median", "mean", "exponential"):
        pt.preprocess.delta_f_over_f(recording[:, :600], baseline=name)  # compile first
        wall, processor = clock(lambda name=name: delta(recording, name))
        rows.append(f"| Partita, ΔF/F, {name} | {scale * wall:.0f} | {scale * processor / 2:.0f} |")
    part = values[:, :40]
    wall, _ = clock(lambda: scipy.ndimage.percentile_filter(part, 8, (300, 1)), repeats=1)
    scale = 250_000 / part.shape[1]
    rows.append(f"| scipy percentile_filter, baseline alone, one thread | {scale * wall:.0f} | - |")
    return rows


def delta(recording: xr.DataArray, name: str) -> None:
    """Compute ΔF/F and let it go."""
    pt.preprocess.delta_f_over_f(recording, baseline=name)


def clock(work: Callable[[], object], repeats: int = 3) -> tuple[float, float]:
    """Return the least wall-clock and processor seconds of several runs."""
    times = []
    for _ in range(repeats):
        wall, processor = time.perf_counter(), time.process_time()
        work()
        times.append((time.perf_counter() - wall, time.process_time() - processor))
    return min(t[0] for t in times), min(t[1] for t in times)


def main() -> None:
    """Measure, print and, if asked, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="append to RESULTS.md")
    parser.add_argument("--full", action="store_true", help="time 250 000 pixels (9 GB)")
    options = parser.parse_args()
    speed = speed_table(250_000 if options.full else 25_000)
    accuracy = {decay: accuracy_table(decay) for decay in (0.7, 1.2)}
    text = [
        *describe("Baselines", ("partita", "numpy", "scipy", "numba")),
        f"rms error of F0 in per cent (mean error), over {8 * len(SEEDS)} simulated traces of "
        "300 s at 30 Hz whose baseline bleaches by 20 to 25 % and drifts by 3 %, with transients "
        "of half the baseline; windows as each recipe has them.",
    ]
    for decay, rows in accuracy.items():
        text += ["", f"Decay time {decay} s:", "", *rows]
    text += [
        "",
        *speed,
        "",
        "" if options.full else "Measured on a tenth of the pixels (scipy: on 40) and scaled.",
    ]
    publish(text, write=options.write)


if __name__ == "__main__":
    main()
