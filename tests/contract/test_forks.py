"""A forked process does what its parent did: read, save, fit, stream, and never waits for ever."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")

SCRIPT = """
import faulthandler, os, sys, warnings
import numpy as np, xarray as xr
import partita as pt
from partita.decomposition import out_of_core

warnings.simplefilter("ignore")
out_of_core.KEPT_BYTES = 0
folder = sys.argv[1]
values = np.random.default_rng(0).gamma(1, 1, (60, 1, 8, 8)).astype("float32")
recording = xr.DataArray(values, {"time": np.arange(60) * 0.5}, ("time", "z", "y", "x"))
for suffix in (".nc", ".nii", ".nii.gz", ".zarr"):
    pt.save(recording, f"{folder}/of{suffix}/r{suffix}")


def opened(suffix):
    return pt.load(f"{folder}/of{suffix}/r{suffix}", chunks={"time": 20})


WORK = {
    "nc": lambda: opened(".nc").compute(),
    "nii": lambda: opened(".nii").compute(),
    "nii.gz": lambda: opened(".nii.gz").compute(),
    "zarr": lambda: opened(".zarr").compute(),
    "save zarr": lambda: pt.save(recording, f"{folder}/{os.getpid()}.zarr"),
    "zscore": lambda: pt.preprocess.zscore(opened(".nc")).compute(),
    "detrend": lambda: pt.preprocess.detrend(recording),
    "fit": lambda: pt.NMF(2, max_iter=2, tol=0, random_state=0).fit(recording),
    "stream": lambda: pt.NMF(2, max_iter=2, tol=0, random_state=0).fit(opened(".nii.gz")),
    "PCA": lambda: pt.PCA(2).fit(opened(".zarr")),
}
for name, work in WORK.items():
    work()
for name, work in WORK.items():
    child = os.fork()
    if child == 0:
        faulthandler.dump_traceback_later(60, exit=True)
        work()
        os._exit(0)
    print(name, os.waitpid(child, 0)[1], flush=True)
"""


@pytest.mark.slow
def test_a_forked_process_works_on(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    ended = [line.rsplit(" ", 1) for line in run.stdout.splitlines()]
    assert len(ended) == 10, run.stderr
    assert {code for _, code in ended} == {"0"}, run.stderr


CLUSTER = """
import os, sys
import dask.array as da
import partita
from partita._solvers.compute import forks
from distributed import Client

if __name__ == "__main__":
    with Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None):
        child = os.fork()
        if child == 0:
            try:
                da.ones(4, chunks=2).sum().compute()
            except RuntimeError as refusal:
                print(refusal, flush=True)
            os._exit(0)
        os.waitpid(child, 0)
"""


@pytest.mark.slow
def test_a_process_forked_from_one_with_a_cluster_is_told_to_spawn(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    script = tmp_path / "script.py"
    script.write_text(CLUSTER)
    run = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=False
    )
    assert "multiprocessing.get_context('spawn')" in run.stdout, run.stderr


def test_a_lock_that_another_thread_holds_is_open_in_a_fork() -> None:
    script = """
import os, threading
from partita._solvers.compute.forks import FreshLock
lock, held, end = FreshLock(), threading.Event(), threading.Event()
def hold():
    with lock:
        held.set()
        end.wait()
thread = threading.Thread(target=hold)
thread.start()
held.wait()
child = os.fork()
if child == 0:
    with lock:
        os._exit(0)
assert os.waitpid(child, 0)[1] == 0
end.set()
"""
    subprocess.run([sys.executable, "-c", script], timeout=60, check=True)
