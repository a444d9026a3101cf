"""A worker killed at a random time, over and over: is the fit on the cluster still the same?

python benchmarks/scale/killed_workers.py             ten times
python benchmarks/scale/killed_workers.py --write     and append to RESULTS.md
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import threading
import time
from pathlib import Path
from unittest.mock import patch

import common
import numpy as np
import xarray as xr
from distributed import Client, LocalCluster

import partita as pt
from partita.decomposition import out_of_core

COMPONENTS = 6


def slowly(block: np.ndarray) -> np.ndarray:
    """Return a block after some time, so that a pass can be hit."""
    time.sleep(0.02)
    return block


def fit_under_fire(
    recording: xr.DataArray, wait: float, rng: np.random.Generator
) -> tuple[pt.NMF, float]:
    """Fit on two new workers, one of which, drawn at random, is killed after `wait` seconds.

    A fit that ended before is an error, unless `wait` is infinite.
    """
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
        patch.object(out_of_core, "KEPT_BYTES", 0),
    ):
        pids = list(client.run(os.getpid).values())
        ended, killed = threading.Event(), threading.Event()

        def kill() -> None:
            if not ended.wait(None if np.isinf(wait) else wait):
                os.kill(int(rng.choice(pids)), signal.SIGKILL)
                killed.set()

        threading.Thread(target=kill, daemon=True).start()
        clock = time.perf_counter()
        model = pt.NMF(COMPONENTS, random_state=0).fit(recording)
        seconds = time.perf_counter() - clock
        ended.set()
        if np.isfinite(wait) and not killed.is_set():
            raise RuntimeError(f"The fit ended after {seconds:.1f} s, before a worker was killed.")
        return model, seconds


def agreement(model: pt.NMF, expected: pt.NMF) -> tuple[float, float]:
    """Return the relative difference of the losses and the least correlation of matched maps."""
    flat = [m.maps_.values.reshape(COMPONENTS, -1) for m in (model, expected)]
    matched = np.corrcoef(*flat)[:COMPONENTS, COMPONENTS:].max(1).min()
    return float(model.losses_[-1] / expected.losses_[-1] - 1), float(matched)


def main() -> None:
    """Kill, compare, print and, if asked, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--write", action="store_true", help="append to RESULTS.md")
    options = parser.parse_args()
    power = pt.datasets.simulate_fusi(
        n_times=300, shape=(1, 60, 50), n_components=5, random_state=0
    )["recording"].isel(z=0, drop=True)
    signed = pt.preprocess.split_sign(pt.preprocess.zscore(power))
    expected = pt.NMF(COMPONENTS, random_state=0).fit(signed)
    rng = np.random.default_rng(0)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        pt.save(signed, Path(folder) / "signed.nc")
        lazy = pt.load(Path(folder) / "signed.nc", chunks={"time": 40})
        lazy = lazy.copy(data=lazy.data.map_blocks(slowly, dtype=lazy.dtype))
        _, usual = fit_under_fire(lazy, np.inf, rng)
        for wait in rng.uniform(0.1, 0.6, options.times) * usual:
            model, seconds = fit_under_fire(lazy, wait, rng)
            loss, matched = agreement(model, expected)
            rows.append(
                f"| {wait:.1f} s | {seconds:.1f} s | {model.converged_} | {loss:+.1e} | "
                f"{matched:.6f} |"
            )
            print(rows[-1], flush=True)
    remark = (
        f"An NMF on two workers, {usual:.1f} s when undisturbed, one of which is killed at a "
        "random time from a tenth to six tenths of that, against the fit in memory."
    )
    lines = [
        *common.describe("Killed workers", ("partita", "dask", "distributed"), remark),
        "| killed after | fit | converged | loss | least correlation of matched maps |",
        "|---|---|---|---|---|",
        *rows,
    ]
    common.publish(lines, write=options.write)


if __name__ == "__main__":
    main()
