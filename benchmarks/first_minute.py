"""What the first call of a fresh install costs beyond the second: compilation, and loading it.

python benchmarks/first_minute.py               three rounds, medians and spread
python benchmarks/first_minute.py --only fit    the measures whose names hold it
python benchmarks/first_minute.py --kernels     which kernels take it, and how long
python benchmarks/first_minute.py --write       append to RESULTS.md too

Each measure runs in a process of its own, once with an empty folder of kernels (cold) and once with
what the first has left (warm). Time is that of the processors; data are made, and what is not ours
is imported, before the clock starts. Bytecode is kept, as an install has it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import distributed  # noqa: F401  not ours, and loaded by the first dask computation
import numpy as np
import sklearn.utils.validation  # noqa: F401  not ours, and loaded by the first estimator
import xarray as xr
from reporting import HERE, describe, publish

Call = Callable[[], object]


def first_fit() -> Call:
    """Fit the sample recording, split, as the README does."""
    import partita as pt

    recording = pt.preprocess.split_sign(pt.preprocess.zscore(pt.datasets.load_sample()))
    return lambda: pt.NMF(10, random_state=0).fit(recording)


def first_wide_fit() -> Call:
    """Fit a recording wide enough for a sample and a sketch to begin it."""
    import partita as pt

    values = np.random.default_rng(0).gamma(1.0, size=(300, 30_000)).astype("float32")
    recording = xr.DataArray(values, dims=("time", "voxel"))
    return lambda: pt.NMF(5, random_state=0, max_iter=40, tol=1e-2).fit(recording)


def first_kullback_leibler() -> Call:
    """Fit the sample recording, split, by Kullback-Leibler."""
    import partita as pt

    recording = pt.preprocess.split_sign(pt.preprocess.zscore(pt.datasets.load_sample()))
    return lambda: pt.NMF(10, loss="kullback-leibler", random_state=0).fit(recording)


def first_registration() -> Call:
    """Register the sample recording rigidly."""
    import partita as pt

    recording = pt.datasets.load_sample()
    return lambda: pt.preprocess.register(recording).compute()


def first_translation() -> Call:
    """Register frames of two-photon by translation."""
    import partita as pt

    recording = pt.datasets.simulate_two_photon(n_times=60, shape=(128, 128)).recording
    return lambda: pt.preprocess.register(recording, transform="translation").compute()


def first_delta_f_over_f() -> Call:
    """Take ΔF/F of traces."""
    import partita as pt

    recording = pt.datasets.simulate_traces(random_state=0).recording
    return lambda: pt.preprocess.delta_f_over_f(recording, window=30.0).compute()


MEASURES = {
    "fit": first_fit,
    "wide fit": first_wide_fit,
    "Kullback-Leibler fit": first_kullback_leibler,
    "rigid registration": first_registration,
    "translation": first_translation,
    "ΔF/F": first_delta_f_over_f,
}


def measure(name: str) -> dict[str, float]:
    """Time the first and the second call in this process."""
    call = MEASURES[name]()
    times = []
    for _ in range(2):
        clock = time.process_time()
        call()
        times.append(time.process_time() - clock)
    return {"first": times[0], "second": times[1]}


def kernels() -> dict[str, float]:
    """Return the seconds that each kernel took to compile, its callees' included."""
    from numba.core import event

    seconds: dict[str, float] = {}

    class Listener(event.Listener):
        def on_start(self, event_: event.Event) -> None:
            event_.data["clock"] = time.process_time()

        def on_end(self, event_: event.Event) -> None:
            took = time.process_time() - event_.data["clock"]
            name = event_.data["dispatcher"].py_func.__qualname__
            seconds[name] = seconds.get(name, 0.0) + took

    event.register("numba:compile", Listener())
    return seconds


def in_a_process(name: str, folder: str, *, by_kernel: bool = False) -> dict[str, float]:
    """Measure in a new process that keeps its kernels in a folder."""
    command = [sys.executable, __file__, "--measure", name]
    kept = {"NUMBA_CACHE_DIR": folder, "PYTHONDONTWRITEBYTECODE": ""}
    done = subprocess.run(
        command + ["--kernels"] * by_kernel,
        env=os.environ | kept,
        cwd=HERE,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def row(name: str, rounds: int) -> str:
    """Return a row of the table: what the first call costs beyond the second, cold and warm."""
    cold, warm, second = [], [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            for beyond in (cold, warm):
                times = in_a_process(name, folder)
                beyond.append(times["first"] - times["second"])
                second.append(times["second"])
    spreads = (
        f"{statistics.median(x):.2f} ({min(x):.2f}-{max(x):.2f})" for x in (cold, warm, second)
    )
    return f"| {name} | {' | '.join(spreads)} |"


def main() -> None:
    """Run the measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--kernels", action="store_true")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if options.measure:
        seconds = kernels() if options.kernels else {}
        times = measure(options.measure)
        print(json.dumps(seconds or times))
        return
    names = [name for name in MEASURES if options.only in name]
    if options.kernels:
        for name in names:
            with tempfile.TemporaryDirectory() as folder:
                seconds = in_a_process(name, folder, by_kernel=True)
            print(f"{name}: {len(seconds)} kernels")
            for kernel, took in sorted(seconds.items(), key=lambda item: -item[1]):
                print(f"  {took:6.2f} s  {kernel}")
        return
    lines = describe("The first minute", ["partita", "numpy", "numba"])
    lines += ["Seconds of processor: the median of the rounds, and their range.", ""]
    lines += ["| | first call beyond the second, cold | warm | second call |", "|---|---|---|---|"]
    lines += [row(name, options.rounds) for name in names]
    publish(lines, write=options.write)


if __name__ == "__main__":
    main()
