"""Where default starts lead on recordings that nobody tuned for, and what several starts bring.

python benchmarks/starts.py --first 200                ten fresh recordings of each of three kinds
python benchmarks/starts.py --first 200 --seeds 2 --states 3 --only fMRI
python benchmarks/starts.py --first 200 --other ../before/src    and time another checkout beside

Time is that of the processors. Each fit is kept in `--folder`, so that a run can be broken off.
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
from nmf import PACKAGES, Fitted, fit_partita, fit_scikit_learn
from recordings import RECORDINGS
from reporting import describe, publish

from partita._solvers.compute.threads import count_threads
from partita._solvers.matrices.products import residual_norm2

KINDS = [name for name in RECORDINGS if "k 30" not in name]
_COMPARED = ("scikit-learn", "20 starts", "1 start")
Run = dict[str, float]  # seconds of processor, and the loss in float64


def main() -> None:
    """Fit what is asked for, print the tables and append them to RESULTS.md if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=int, default=0, help="seed of the first recording")
    parser.add_argument("--seeds", type=int, default=10, help="recordings of a kind")
    parser.add_argument("--states", type=int, default=10, help="random states of the best known")
    parser.add_argument("--only", default="", help="kinds whose name contains this")
    parser.add_argument("--other", help="src of another checkout")
    parser.add_argument("--folder", type=Path, required=True, help="where fits are kept")
    parser.add_argument("--write", action="store_true", help="append to RESULTS.md")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.seeds)
    kinds = [name for name in KINDS if options.only in name]
    if options.alone:
        print(json.dumps(_alone(kinds[0], options.first)))
        return
    rows = [_summary(name, [_fits(name, seed, options) for seed in seeds]) for name in kinds]
    lines = describe("NMF, where starts lead", PACKAGES, f"{count_threads()} threads.")
    lines += [
        "| recordings | at most 1e-5 above scikit-learn | at most 1e-4 above the best known | "
        "20 starts above the default, worst | CPU s, median | times below scikit-learn | "
        "times the code before | one start: CPU time, loss above the default, median (worst) |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
    ]
    publish(lines, write=options.write)


def _recording(name: str, seed: int) -> tuple[np.ndarray, int]:
    make, k = RECORDINGS[name]
    return make(seed), k


def _fits(name: str, seed: int, options: argparse.Namespace) -> dict[str, Run]:
    """Fit one recording in all the ways that are compared, those already kept left out."""
    file = options.folder / f"{name.split('-')[0]}_{seed}.json"
    runs: dict[str, Run] = json.loads(file.read_text()) if file.exists() else {}
    wanted: dict[str, Callable[[], Run]] = {}
    if missing := _wanted(options) - runs.keys():
        X, k = _recording(name, seed)
        _compile(X, k)
        wanted = {
            "scikit-learn": lambda: _measure(fit_scikit_learn, X, k, 0),
            "20 starts": lambda: _measure(fit_partita, X, k, 0, n_starts=20),
            "1 start": lambda: _measure(fit_partita, X, k, 0, n_starts=1),
            "before": lambda: _elsewhere(name, seed, options),
        }
        wanted |= {
            str(state): lambda state=state: _measure(fit_partita, X, k, state)
            for state in range(options.states)
        }
    for which in sorted(missing):
        runs[which] = wanted[which]()
        print(name, seed, which, runs[which], file=sys.stderr, flush=True)
        file.write_text(json.dumps(runs))
    return runs


def _wanted(options: argparse.Namespace) -> set[str]:
    states = {str(state) for state in range(options.states)}
    return {*_COMPARED} | states | ({"before"} if options.other else set())


def _measure(fit: Callable[..., Fitted], X: np.ndarray, k: int, seed: int, **asked: object) -> Run:
    clock = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        W, H, *_ = fit(X, k, seed, **asked)
    seconds = time.process_time() - clock
    loss = 0.5 * residual_norm2(X, W.astype(np.float64), H.astype(np.float64))
    return {"seconds": seconds, "loss": float(loss)}


def _compile(X: np.ndarray, k: int) -> None:
    _measure(fit_partita, X[:, ::4].copy(), k, 0)


def _elsewhere(name: str, seed: int, options: argparse.Namespace) -> Run:
    """Fit with the code of another checkout, in a process of its own."""
    command = [sys.executable, __file__, "--only", name, "--first", str(seed)]
    command += ["--folder", str(options.folder), "--alone"]
    path = {"PYTHONPATH": str(options.other)}
    done = subprocess.run(
        command, env=os.environ | path, capture_output=True, text=True, check=True
    )
    run: Run = json.loads(done.stdout.splitlines()[-1])
    return run


def _alone(name: str, seed: int) -> Run:
    X, k = _recording(name, seed)
    _compile(X, k)
    return _measure(fit_partita, X, k, 0)


def _summary(name: str, sets: list[dict[str, Run]]) -> str:
    """Return a row of the table; where nothing was timed of another checkout, a dash."""
    default = [runs["0"] for runs in sets]
    theirs, most, one = ([runs[which] for runs in sets] for which in _COMPARED)
    best = [min(run["loss"] for run in runs.values()) for runs in sets]
    beyond = [run["loss"] / other["loss"] - 1 for run, other in zip(default, theirs, strict=True)]
    above = [run["loss"] / least - 1 for run, least in zip(default, best, strict=True)]
    of_most = max(a["loss"] / b["loss"] - 1 for a, b in zip(most, default, strict=True))
    of_one = [a["loss"] / b["loss"] - 1 for a, b in zip(one, default, strict=True)]
    before = [runs["before"]["seconds"] for runs in sets if "before" in runs]
    seconds, count = _seconds(default), len(sets)
    return (
        f"| {name} | {sum(x <= 1e-5 for x in beyond)} of {count} ({max(beyond):+.1e}) "
        f"| {sum(x <= 1e-4 for x in above)} of {count} ({max(above):+.1e}) | {of_most:+.1e} "
        f"| {seconds:.2f} | {_seconds(theirs) / seconds:.1f} "
        f"| {f'{seconds / np.median(before):.2f}' if before else '-'} "
        f"| {_seconds(one):.2f}, {np.median(of_one):+.1e} ({max(of_one):+.1e}) |"
    )


def _seconds(runs: list[Run]) -> float:
    return float(np.median([run["seconds"] for run in runs]))


if __name__ == "__main__":
    main()
