"""What fits cost beside the big recordings of nmf.py: doublings, labels, small tables, penalties.

python benchmarks/nmf_costs.py             print
python benchmarks/nmf_costs.py --write     into RESULTS.md, with a picture
"""

from __future__ import annotations

import argparse
import functools
import time
import warnings
from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from recordings import make_fusi
from reporting import describe, keep_picture, publish
from scipy.optimize import nnls as scipy_nnls
from sklearn.decomposition import NMF as PeerNMF
from sklearn.decomposition import non_negative_factorization

import partita as pt
import partita.decomposition.factorisation as labelled
from partita._solvers.factorise import factorise
from partita._solvers.matrices.products import residual_norm2
from partita._solvers.nmf import frobenius
from partita._solvers.penalties.penalty import Extent
from partita._solvers.penalties.per_entry import PerEntry
from partita._solvers.problem.problem import Problem
from partita._solvers.problem.start import Start
from partita._solvers.problem.stopping import Stopping
from partita._solvers.signals import solve_signals as solve

PACKAGES = ("numpy", "scipy", "scikit-learn", "numba", "xarray")
SMALLEST = (375, 9120, 10)


def time_median(job: Callable[[], object], repeats: int) -> float:
    """Return the median seconds of a job, after one run to compile and warm up."""
    job()
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        job()
        seconds.append(time.perf_counter() - begin)
    return float(np.median(seconds))


def time_iteration(n: int, p: int, k: int, weights: tuple | None = None) -> float:
    """Return the median seconds of an iteration on X of a shape."""
    X = np.random.default_rng(0).random((n, p), np.float32)
    stamps: list[float] = []
    problem, start = Problem(X, k, weights=weights), Start("random", sketch=False)
    stopping = Stopping(0.0, 15, lambda _: stamps.append(time.perf_counter()))
    factorise(problem, start, stopping, rng=np.random.default_rng(0))
    return float(np.median(np.diff(stamps)[2:]))


def double() -> tuple[list[str], Figure]:
    """Double samples, features or components, three times each, and time an iteration."""
    time_iteration(100, 1000, 3)
    lines = ["| doubled | iteration, ms | each doubling costs |", "|---|---|---|"]
    figure, ax = plt.subplots(figsize=(4.5, 3.2))
    for axis, label in enumerate(("T, time points", "p, voxels", "k, parts")):
        shapes = [[size << (i if j == axis else 0) for j, size in enumerate(SMALLEST)]
                  for i in range(4)]  # fmt: skip
        ms = 1e3 * np.array([np.median([time_iteration(*s) for _ in range(3)]) for s in shapes])
        names = ", ".join(str(shape[axis]) for shape in shapes)
        times = ", ".join(f"{value:.1f}" for value in ms)
        ratios = ", ".join(f"{ratio:.2f}" for ratio in ms[1:] / ms[:-1])
        lines.append(f"| {label}: {names} | {times} | {ratios} |")
        ax.loglog(2.0 ** np.arange(4), ms, "o-", base=2, label=label)
    ax.set(xlabel="times as large", ylabel="an iteration, ms", xticks=[1, 2, 4, 8],
           yticks=[4, 8, 16, 32], title="From {} x {}, k {}".format(*SMALLEST))  # fmt: skip
    ax.xaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_major_formatter("{x:g}")
    ax.legend(frameon=False)
    figure.tight_layout()
    return lines, figure


def weigh() -> list[str]:
    """Time an iteration with weights by sample and by feature, against one without."""
    n, p, k = 751, 18240, 10
    rng = np.random.default_rng(0)
    kinds = {
        "none": None,
        "by sample": (rng.random(n) + 0.5, np.ones(p)),
        "by feature": (np.ones(n), rng.random(p) + 0.5),
        "by sample and by feature": (rng.random(n) + 0.5, rng.random(p) + 0.5),
    }
    rows = [f"| weights, {n} x {p}, k {k} | iteration, ms |", "|---|---|"]
    for name, weights in kinds.items():
        ms = 1e3 * np.median([time_iteration(n, p, k, weights) for _ in range(5)])
        rows.append(f"| {name} | {ms:.1f} |")
    return rows


def solve_least_squares(repeats: int) -> list[str]:
    """Solve 18 240 right-hand sides for 30 signals: seconds, and residuals against scipy's."""
    X = make_fusi()
    solution = factorise(Problem(X, 30), rng=np.random.default_rng(0))
    W, data = solution.W, np.ascontiguousarray(X.T)
    ours = time_median(lambda: solve(data, W.T), repeats)
    theirs = time_median(
        lambda: non_negative_factorization(
            data,
            H=np.ascontiguousarray(W.T),
            n_components=30,
            update_H=False,
        ),
        repeats,
    )
    answer = solve(data, W.T).astype(np.float64)
    chosen = np.random.default_rng(0).choice(len(data), 500, replace=False)
    excess = []
    for i in chosen:
        right = data[i].astype(np.float64)
        exact = scipy_nnls(W.astype(np.float64), right)[1]
        excess.append(np.linalg.norm(right - W.astype(np.float64) @ answer[i]) / exact - 1)
    return [
        "| non-negative least squares, 18 240 right-hand sides, k 30 | seconds | |",
        "|---|---|---|",
        f"| scikit-learn, to its tolerance | {theirs:.3f} | |",
        f"| Partita, exact | {ours:.3f} | {theirs / ours:.1f} x; residual above scipy's at most "
        f"{max(excess):.0e}, relative, in 500 |",
    ]


def fit_small(repeats: int) -> list[str]:
    """Fit a region table of 60 x 400 by five parts."""
    rng = np.random.default_rng(0)
    X = rng.random((60, 5)) ** 3 @ rng.random((5, 400)) ** 3 + 0.1 * rng.random((60, 400))
    table = xr.DataArray(X.astype(np.float32), dims=("time", "region"))

    def peer() -> None:
        with warnings.catch_warnings(action="ignore"):
            PeerNMF(5, init="nndsvda", tol=1e-4, max_iter=500).fit_transform(table.values)

    ours = time_median(lambda: pt.NMF(5, random_state=0).fit(table), repeats)
    problem = Problem(table.values, 5)
    alone = time_median(lambda: factorise(problem, rng=np.random.default_rng(0)), repeats)
    one = time_median(lambda: pt.NMF(5, max_iter=1, tol=0, random_state=0).fit(table), repeats)
    return [
        "| 60 x 400, k 5 | ms |",
        "|---|---|",
        f"| scikit-learn CD | {1e3 * time_median(peer, repeats):.1f} |",
        f"| Partita, labels included | {1e3 * ours:.1f} |",
        f"| Partita, without labels | {1e3 * alone:.1f} |",
        f"| Partita, labels included, one iteration: the fixed cost | {1e3 * one:.1f} |",
    ]


def label(repeats: int) -> list[str]:
    """Fit the same numbers with and without labels."""
    X = make_fusi()
    values = X.reshape(len(X), 2, 114, 80)
    recording = xr.DataArray(
        values,
        dims=("time", "sign", "z", "x"),
        coords={
            "time": ("time", 0.4 * np.arange(len(X)), {"units": "s"}),
            "sign": ["positive", "negative"],
            "z": ("z", 0.05 * np.arange(114), {"units": "mm"}),
            "x": ("x", 0.1 * np.arange(80), {"units": "mm"}),
        },
    )
    spent, total = [], []
    inner = labelled.factorise

    @functools.wraps(inner)
    def timed(*args: object, **options: object) -> frobenius.Solution:
        begin = time.perf_counter()
        solution = inner(*args, **options)
        spent.append(time.perf_counter() - begin)
        return solution

    labelled.factorise = timed
    try:
        for _ in range(repeats + 1):
            begin = time.perf_counter()
            pt.NMF(10, random_state=0).fit(recording)
            total.append(time.perf_counter() - begin)
    finally:
        labelled.factorise = inner
    share = [1 - s / t for s, t in zip(spent[1:], total[1:], strict=True)]
    return [
        "| 751 x 18 240, k 10 | |",
        "|---|---|",
        f"| a labelled fit | {np.median(total[1:]):.3f} s |",
        f"| of it checks, stacking and labels | {100 * np.median(share):.1f} % "
        f"({100 * min(share):.1f}-{100 * max(share):.1f}) |",
    ]


def penalise(seeds: int) -> list[str]:
    """Compare the penalised losses with scikit-learn's, where both share the objective."""
    lines = [
        "| scikit-learn's penalty, 751 x 18 240, k 10 | loss against scikit-learn's, worst seed |",
        "|---|---|",
    ]
    X = make_fusi()
    for alpha, ratio in ((1e-5, 1.0), (1e-4, 1.0), (1e-4, 0.5), (1e-3, 0.0)):
        penalty = PerEntry(*[alpha * ratio] * 2, *[alpha * (1 - ratio)] * 2)
        model = PeerNMF(10, init="nndsvda", alpha_W=alpha, alpha_H=alpha, l1_ratio=ratio,
                        max_iter=500)  # fmt: skip
        with warnings.catch_warnings(action="ignore"):
            W = model.fit_transform(X)
        theirs = _penalised_loss(X, W, model.components_, penalty)
        ours = []
        for seed in range(seeds):
            problem = Problem(X, 10, penalty=penalty)
            fit = factorise(problem, rng=np.random.default_rng(seed))
            ours.append(_penalised_loss(X, fit.W, fit.H, penalty))
        lines.append(f"| alpha {alpha:.0e}, l1_ratio {ratio} | {max(ours) / theirs - 1:+.1e} |")
    return lines


def _penalised_loss(X: np.ndarray, W: np.ndarray, H: np.ndarray, penalty: PerEntry) -> float:
    W, H = W.astype(np.float64), H.astype(np.float64)
    bound = penalty.against(Extent(*X.shape, rms=1.0))
    return 0.5 * residual_norm2(X, W, H) + bound.value(W.T, H)


def main() -> None:
    """Measure all, print, and if asked keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="append to RESULTS.md")
    options = parser.parse_args()
    lines = describe("NMF, costs", PACKAGES, "Medians.")
    doublings, figure = double()
    lines += [*doublings, "", *weigh(), ""]
    lines += [*solve_least_squares(options.repeats), "", *fit_small(5 * options.repeats), ""]
    lines += [*label(options.repeats), "", *penalise(options.seeds)]
    if options.write:
        path = keep_picture(figure, "nmf_doublings")
        lines += ["", f"![The cost of an iteration](figures/{path.name})"]
    publish(lines, write=options.write)


if __name__ == "__main__":
    main()
