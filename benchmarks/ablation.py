"""What each part of the solver brings: whole fits with a part left out beside whole fits.

python benchmarks/ablation.py --folder /tmp/fits                 the four recordings
python benchmarks/ablation.py --folder /tmp/fits --only fMRI     those whose names hold it
python benchmarks/ablation.py --folder /tmp/fits --before ../before/src
                                    and the tiles of coordinate descent, which that checkout had

A part is left out by a parameter or by a constant. All fits of a recording are made in turn by one
process, compiled beforehand, so that what drifts on the machine drifts for all. Time is that of
the processors. Each fit is kept in `--folder`, so that a run can be broken off.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from recordings import RECORDINGS
from reporting import HERE, describe, publish

PRODUCTS = "without the register-blocked product"
TILES = "without tiles of coordinate descent"
PARAMETERS: dict[str, dict[str, Any]] = {
    "whole": {},
    'solver="hals"': {"solver": "hals"},
    PRODUCTS: {},
    "one start": {"n_starts": 1},
}
BEFORE: dict[str, dict[str, Any]] = {"whole, before": {}, TILES: {}}
_TILE = 128  # rows of a tile, in the checkout that had them
Run = dict[str, float]  # seconds of processor of a fit and of a transform, and the loss


def main() -> None:
    """Fit what is missing, print the table and append it to RESULTS.md if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="where fits are kept")
    parser.add_argument("--before", type=Path, help="src of the checkout that had the tiles")
    parser.add_argument("--only", default="", help="recordings whose name contains this")
    parser.add_argument("--rounds", type=int, default=3, help="seeds of the fits")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--types", nargs="+", default=["float32", "float64"])
    parser.add_argument("--write", action="store_true", help="append to RESULTS.md")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        _work(options.work, options.only, options.types[0], options.rounds, options.folder)
        return
    rows = [
        _row(name, dtype, threads, options)
        for name in RECORDINGS
        if options.only in name
        for dtype in options.types
        for threads in options.threads
    ]
    columns = [*list(PARAMETERS)[1:], TILES, "transform without tiles"]
    lines = describe("What each part of the solver brings", ("numpy", "scipy", "numba"))
    lines += [f"| recording | type | threads | whole, CPU s | {' | '.join(columns)} |"]
    lines += ["|---" * (4 + len(columns)) + "|", *rows]
    publish(lines, write=options.write)


def _row(name: str, dtype: str, threads: int, options: argparse.Namespace) -> str:
    runs = _fits(name, dtype, threads, options, HERE.parent / "src", "now")
    cells = [f"{np.median([run['seconds'] for run in runs['whole']]):.2f}"]
    cells += [_against(runs[part], runs["whole"]) for part in list(PARAMETERS)[1:]]
    if options.before:
        runs = _fits(name, dtype, threads, options, options.before.resolve(), "before")
        pair = runs[TILES], runs["whole, before"]
        cells += [_against(*pair), _ratio(*pair, "transform")]
    else:
        cells += ["", ""]
    return f"| {name} | {dtype} | {threads} | {' | '.join(cells)} |"


def _against(runs: list[Run], whole: list[Run]) -> str:
    """Tell how many times as long fits take without a part, and how their losses change."""
    changes = [run["loss"] / other["loss"] - 1 for run, other in zip(runs, whole, strict=True)]
    return f"{_ratio(runs, whole, 'seconds')}, loss {max(changes, key=abs):+.0e}"


def _ratio(runs: list[Run], whole: list[Run], what: str) -> str:
    ratios = [run[what] / other[what] for run, other in zip(runs, whole, strict=True)]
    return f"{np.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


def _fits(
    name: str, dtype: str, threads: int, options: argparse.Namespace, source: Path, which: str
) -> dict[str, list[Run]]:
    """Return all fits of a recording with the package of a checkout, made where they are missing.

    They are made in a process of its own, since threads are counted when the package is imported.
    """
    file = options.folder / f"{name.split(' ')[0]}_{name[-2:]}_{dtype}_{threads}_{which}.json"
    command = [sys.executable, __file__, "--work", name, "--folder", str(file), "--only", which]
    command += ["--types", dtype, "--rounds", str(options.rounds)]
    environment = {"PYTHONPATH": str(source), "OMP_NUM_THREADS": str(threads)}
    if len(_kept(file)) < options.rounds:
        subprocess.run(command, env=os.environ | environment, check=True)
    runs = _kept(file)[: options.rounds]
    return {part: [run[part] for run in runs] for part in runs[0]}


def _kept(file: Path) -> list[dict[str, Run]]:
    runs: list[dict[str, Run]] = json.loads(file.read_text()) if file.exists() else []
    return runs


def _work(name: str, which: str, dtype: str, rounds: int, file: Path) -> None:
    """Make the fits that a file lacks: a round a seed, every other one backwards."""
    runs = _kept(file)
    parts = PARAMETERS if which == "now" else BEFORE
    make, k = RECORDINGS[name]
    recording = xr.DataArray(make().astype(dtype, copy=False), dims=("time", "voxel"))
    for part in parts:
        _measure(recording[:, ::4].copy(), k, 0, part, parts[part])  # compiles
    for seed in range(len(runs), rounds):
        order = list(parts) if seed % 2 == 0 else list(parts)[::-1]
        runs.append({part: _measure(recording, k, seed, part, parts[part]) for part in order})
        print(name, dtype, which, seed, runs[-1], file=sys.stderr, flush=True)
        file.write_text(json.dumps(runs))


def _measure(
    recording: xr.DataArray, k: int, seed: int, part: str, parameters: dict[str, Any]
) -> Run:
    import partita as pt

    with warnings.catch_warnings(action="ignore"), _left_out(part):
        clock = time.process_time()
        model = pt.NMF(k, random_state=seed, **parameters).fit(recording)
        fitted = time.process_time()
        model.transform(recording)
        seconds, transform = fitted - clock, time.process_time() - fitted
    return {"seconds": seconds, "transform": transform, "loss": float(model.losses_[-1])}


@contextmanager
def _left_out(part: str) -> Iterator[None]:
    """Leave a part out that no parameter leaves out."""
    if part == PRODUCTS:
        owner, name, value = "matrices.inner_products", "FEWEST", sys.maxsize
    elif part == TILES:
        owner, name, value = "nnls.coordinate_descent", "sweep_shared", _left_to_the_active_set
    else:
        yield
        return
    module: Any = importlib.import_module(f"partita._solvers.{owner}")
    kept = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, kept)


def _left_to_the_active_set(*arguments: Any) -> range:
    """Return the first rows of all tiles, as if no sweep had come to its end."""
    first, last = arguments[4:6]
    return range(first, last, _TILE)


if __name__ == "__main__":
    main()
