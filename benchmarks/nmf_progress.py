"""The way down of the loss, against seconds and passes over X, and what ten times longer brings.

python benchmarks/nmf_progress.py             print
python benchmarks/nmf_progress.py --write     into RESULTS.md, with a picture
"""

from __future__ import annotations

import argparse
import time
import warnings
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from recordings import RECORDINGS
from reporting import describe, keep_picture, publish
from sklearn.decomposition import NMF as PeerNMF

from partita._solvers.factorise import factorise
from partita._solvers.matrices.products import residual_norm2
from partita._solvers.problem.problem import Problem
from partita._solvers.problem.solution import State
from partita._solvers.problem.start import Start
from partita._solvers.problem.stopping import Stopping

PACKAGES = ("numpy", "scikit-learn", "numba")
NEAR = (1e-3, 1e-4)


class Way(NamedTuple):
    """Seconds, passes over X, and losses from the factors, after more and more iterations."""

    seconds: np.ndarray
    passes: np.ndarray
    losses: np.ndarray


def follow_partita(X: np.ndarray, k: int, seed: int) -> tuple[Way, float]:
    """Follow a default fit, and return with it what ten times as many iterations bring more."""
    stamps, losses = [], []

    def watch(state: State) -> None:
        stamps.append(time.perf_counter() - begin)
        losses.append(state.loss)

    begin = time.perf_counter()
    stopping = Stopping(watch=watch)
    solution = factorise(Problem(X, k), stopping=stopping, rng=np.random.default_rng(seed))
    stamps.append(time.perf_counter() - begin)
    loss = half_squared_error(X, solution.W, solution.H)
    total = solution.report["passes"]
    before = total - len(losses) - 2  # the exact signals and the certificate
    passes = [before + done for done in range(1, len(losses) + 1)] + [total]
    start, on = Start(W=solution.W, H=solution.H, sketch=False), Stopping(0.0, int(10 * total))
    longer = factorise(Problem(X, k), start, on, rng=np.random.default_rng(seed))
    gain = 1 - half_squared_error(X, longer.W, longer.H) / loss
    return Way(np.array(stamps), np.array(passes), np.array([*losses, loss])), gain


def follow_scikit_learn(X: np.ndarray, k: int, most: int = 500) -> Way:
    """Follow scikit-learn's coordinate descent, which goes on from where it was stopped."""
    seconds = passes = 0.0
    way, factors, iterations = [], None, 5
    while passes < 2 * most:
        options = {"init": "nndsvda"} if factors is None else {"init": "custom"}
        given = {} if factors is None else dict(zip("WH", factors, strict=True))
        model = PeerNMF(k, tol=0, max_iter=iterations, random_state=0, **options)
        begin = time.perf_counter()
        with warnings.catch_warnings(action="ignore"):
            W = model.fit_transform(X, **given)
        seconds += time.perf_counter() - begin
        passes += 2 * iterations
        factors = W, model.components_
        way.append((seconds, passes, half_squared_error(X, *factors)))
        iterations = max(5, min(int(passes) // 4, most - int(passes) // 2))
    return Way(*np.array(way).T)


def half_squared_error(X: np.ndarray, W: np.ndarray, H: np.ndarray) -> float:
    """Return the loss in float64 from the factors."""
    return 0.5 * residual_norm2(X, W.astype(np.float64), H.astype(np.float64))


def main() -> None:
    """Follow all, print the tables and, if asked, keep them with the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default="", help="recordings whose name contains this")
    parser.add_argument("--write", action="store_true", help="append to RESULTS.md")
    options = parser.parse_args()
    lines = describe(
        "NMF, the way down", PACKAGES,
        "Seconds and passes over X until the loss, in float64, is so near to the best of these "
        "runs; median over the seeds, and of how many. An iteration of scikit-learn is two "
        "passes; rounds on a sample of X that stays in the caches are in the seconds alone. "
        "Ten times longer: by how much ten times as many iterations on X, as many as the fit had "
        "passes, lower the loss after a default fit; worst seed.",
    )  # fmt: skip
    heads = [f"{what} to {near:.0e}" for near in NEAR for what in ("s", "passes")]
    lines += [f"| recording | solver | {' | '.join(heads)} | ten times longer |", "|" + "---|" * 7]
    factorise(Problem(np.ones((600, 4000), np.float32), 3), rng=np.random.default_rng(0))
    names = [name for name in RECORDINGS if options.only in name]
    figure, axes = plt.subplots(1, len(names), figsize=(3.2 * len(names), 3), squeeze=False)
    for name, ax in zip(names, axes[0], strict=True):
        make, k = RECORDINGS[name]
        X = make()
        theirs = follow_scikit_learn(X, k)
        ours, gains = zip(*(follow_partita(X, k, s) for s in range(options.seeds)), strict=True)
        best = min(way.losses.min() for way in (theirs, *ours))
        lines.append(f"| {name} | scikit-learn CD | {_reach([theirs], best)} | |")
        lines.append(f"| {name} | Partita | {_reach(ours, best)} | {max(gains):.1e} |")
        print("\n".join(lines[-2:]), flush=True)
        _draw(ax, name, theirs, ours, best)
    axes[0, 0].set_ylabel("loss above the best, relative")
    axes[0, -1].legend(frameon=False, fontsize=8)
    figure.tight_layout()
    if options.write:
        path = keep_picture(figure, "nmf_progress")
        lines += ["", f"![The loss over time](figures/{path.name})"]
    publish(lines, write=options.write)


def _reach(ways: list[Way] | tuple[Way, ...], best: float) -> str:
    cells = []
    for near in NEAR:
        first = [np.flatnonzero(way.losses <= best * (1 + near)) for way in ways]
        there = [(way, at[0]) for way, at in zip(ways, first, strict=True) if at.size]
        if not there:
            cells += ["never", "never"]
            continue
        seconds = np.median([way.seconds[at] for way, at in there])
        passes = np.median([way.passes[at] for way, at in there])
        of = f" ({len(there)} of {len(ways)})"
        cells += [f"{seconds:.2f}{of}", f"{passes:.0f}"]
    return " | ".join(cells)


def _draw(ax: plt.Axes, name: str, theirs: Way, ours: tuple[Way, ...], best: float) -> None:
    ax.loglog(theirs.seconds, theirs.losses / best - 1 + 1e-7, "o-", ms=3, color="#D55E00",
              label="scikit-learn CD")  # fmt: skip
    for seed, way in enumerate(ours):
        label = "Partita" if seed == 0 else None
        ax.loglog(way.seconds, way.losses / best - 1 + 1e-7, color="#0072B2", label=label)
        ax.plot(way.seconds[-1], way.losses[-1] / best - 1 + 1e-7, "*", color="#0072B2")
    ax.set_title(name.replace(", ", ",\n"), fontsize=9)
    ax.set(xlabel="seconds", xlim=(0.3, 100), ylim=(5e-8, 1), xticks=[1, 10, 100])
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter("")


if __name__ == "__main__":
    main()
