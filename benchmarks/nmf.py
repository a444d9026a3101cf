"""NMF side by side with its peers: one process, the same data, starts timed, losses in float64.

python benchmarks/nmf.py --quick            Partita and scikit-learn, one seed
python benchmarks/nmf.py --peers --write    all peers, three seeds, into RESULTS.md
python benchmarks/nmf.py --kl               Kullback-Leibler
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from recordings import RECORDINGS
from reporting import describe, publish
from sklearn.decomposition import NMF as PeerNMF
from sklearn.decomposition import MiniBatchNMF

from partita._solvers.compute.threads import count_threads
from partita._solvers.factorise import factorise
from partita._solvers.matrices.products import residual_norm2
from partita._solvers.problem.problem import Problem
from partita._solvers.problem.start import Start
from partita._solvers.problem.stopping import Stopping

PACKAGES = ("numpy", "scipy", "scikit-learn", "numba", "tensorly", "nimfa", "pyplanc")


class Run(NamedTuple):
    """One fit: seconds, loss from the factors, iterations, and whether it said it converged."""

    seconds: float
    loss: float
    iterations: int
    converged: bool


Fitted = tuple[np.ndarray, np.ndarray, int, bool]


def fit_partita(X: np.ndarray, k: int, seed: int, **options: object) -> Fitted:
    """Fit by Partita's defaults."""
    problem, start = Problem(X, k), Start(**options)
    solution = factorise(problem, start, rng=np.random.default_rng(seed))
    return solution.W, solution.H, solution.n_iter, solution.converged


def fit_scikit_learn(X: np.ndarray, k: int, seed: int, **options: object) -> Fitted:
    """Fit by scikit-learn's coordinate descent, or as the options say."""
    settings = {"solver": "cd", "init": "nndsvda", "tol": 1e-4, "max_iter": 500, **options}
    return _fit_peer(PeerNMF(k, random_state=seed, **settings), X)


def fit_mini_batch(X: np.ndarray, k: int, seed: int) -> Fitted:
    """Fit by scikit-learn's mini-batches of samples."""
    return _fit_peer(MiniBatchNMF(k, init="nndsvda", random_state=seed), X)


def fit_multiplicative(X: np.ndarray, k: int, seed: int) -> Fitted:
    """Fit by scikit-learn's multiplicative updates."""
    return fit_scikit_learn(X, k, seed, solver="mu")


def fit_tensorly(X: np.ndarray, k: int, seed: int) -> Fitted:
    """Fit by TensorLy's hierarchical alternating least squares."""
    from tensorly.decomposition import non_negative_parafac_hals

    (weights, (W, H)) = non_negative_parafac_hals(
        X, k, n_iter_max=200, init="svd", random_state=seed
    )
    return W * weights, H.T, 200, True


def fit_nimfa(X: np.ndarray, k: int, seed: int) -> Fitted:
    """Fit by nimfa's alternating least squares with projected gradients."""
    import nimfa

    np.mat = np.asmatrix  # noqa: NPY201  (nimfa 1.4 asks for it, and numpy 2 has lost it)
    np.random.seed(seed)  # noqa: NPY002  (nimfa draws from the global state)
    fit = nimfa.Lsnmf(X.astype(float), rank=k, max_iter=100, seed="nndsvd")().fit
    return np.asarray(fit.basis()), np.asarray(fit.coef()), int(fit.n_iter), True


def fit_planc(X: np.ndarray, k: int, seed: int) -> Fitted:
    """Fit by PLANC's alternating exact least squares (block principal pivoting), compiled."""
    import pyplanc

    rng, (n, p) = np.random.default_rng(seed), X.shape
    start = {
        "Winit": np.asfortranarray(rng.random((n, k))),
        "Hinit": np.asfortranarray(rng.random((p, k))),
    }
    with _silenced():
        fit = pyplanc.nmf(np.asfortranarray(X, np.float64), k, niter=100, algo="anlsbpp", **start)
    return np.asarray(fit.W), np.asarray(fit.H).T, 100, True


PEERS: dict[str, Callable[..., Fitted]] = {
    "scikit-learn MU": fit_multiplicative,
    "scikit-learn MiniBatchNMF": fit_mini_batch,
    "TensorLy HALS": fit_tensorly,
    "PLANC ANLS-BPP": fit_planc,
    "nimfa LSNMF": fit_nimfa,
}


def compare(name: str, *, seeds: int, peers: bool) -> list[str]:
    """Fit one recording by all and return rows of a table."""
    make, k = RECORDINGS[name]
    X = make()
    fit_partita(np.random.default_rng(0).random((600, 4000), np.float32), k, 0)
    fits = {"scikit-learn CD": fit_scikit_learn, "Partita": fit_partita}
    runs: dict[str, list[Run]] = {solver: [] for solver in fits}
    for seed in range(seeds):
        for solver, fit in fits.items():
            runs[solver].append(measure(fit, X, k, seed))
    if peers:
        runs |= {solver: _try(solver, fit, X, k, seeds) for solver, fit in PEERS.items()}
    best = min(run.loss for of_one in runs.values() for run in of_one)
    reference = np.median([run.seconds for run in runs["scikit-learn CD"]])
    rows = [_row(name, solver, r, reference, best) for solver, r in runs.items() if r]
    worst = max(
        ours.loss / theirs.loss - 1
        for ours, theirs in zip(runs["Partita"], runs["scikit-learn CD"], strict=True)
    )
    return [*rows, _extras(name, X, k, worst)]


def measure(fit: Callable[..., Fitted], X: np.ndarray, k: int, seed: int) -> Run:
    """Time a fit and take its loss from the factors."""
    clock = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        W, H, iterations, converged = fit(X, k, seed)
    seconds = time.perf_counter() - clock
    loss = 0.5 * residual_norm2(X, W.astype(np.float64), H.astype(np.float64))
    return Run(seconds, loss, iterations, converged)


def compare_divergence(*, seeds: int) -> list[str]:
    """Time the way to scikit-learn's Kullback-Leibler loss after 500 updates."""
    X, k = RECORDINGS["fUSI-like 751 x 18240, k 10"][0](), 10
    factorise(
        Problem(X[:100, :500].copy(), k, loss=1.0),
        stopping=Stopping(max_iter=5),
        rng=np.random.default_rng(0),
    )
    rows = []
    for seed in range(seeds):
        clock = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            W, H, _, _ = fit_scikit_learn(
                X, k, seed, solver="mu", beta_loss="kullback-leibler", tol=0
            )
        theirs = time.perf_counter() - clock
        aim = _divergence(X, W, H)
        clock = time.perf_counter()
        until = Stopping(watch=lambda state, aim=aim: state.loss <= aim)
        solution = factorise(
            Problem(X, k, loss=1.0), stopping=until, rng=np.random.default_rng(seed)
        )
        ours = time.perf_counter() - clock
        reached = _divergence(X, solution.W, solution.H) / aim - 1
        rows.append(
            f"| Kullback-Leibler, seed {seed} | {theirs:.1f} s | {ours:.2f} s | "
            f"{theirs / ours:.1f} x | {reached:+.1e} |"
        )
    head = "| to scikit-learn's loss after 500 updates | scikit-learn MU | Partita | | loss |"
    return [head, "|---|---|---|---|---|", *rows]


def main() -> None:
    """Run what the command line asks for and print it as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one seed")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--peers", action="store_true", help="the slower peers too")
    parser.add_argument("--kl", action="store_true", help="Kullback-Leibler instead")
    parser.add_argument("--only", default="", help="recordings whose name contains this")
    parser.add_argument("--write", action="store_true", help="append to RESULTS.md")
    options = parser.parse_args()
    seeds = 1 if options.quick else options.seeds
    lines = describe("NMF", PACKAGES, f"{count_threads()} threads.")
    if options.kl:
        lines += compare_divergence(seeds=seeds)
    else:
        lines += [
            "| recording | solver | seconds, median (range) | times faster | loss above the best "
            "of all runs, median (worst) | iterations | converged |",
            "|---|---|---|---|---|---|---|",
        ]
        for name in RECORDINGS:
            if options.only in name:
                rows = compare(name, seeds=seeds, peers=options.peers)
                print("\n".join(rows), file=sys.stderr, flush=True)
                lines += rows
    publish(lines, write=options.write)


@contextmanager
def _silenced() -> Iterator[None]:
    """Keep what compiled code prints from standard output and error."""
    kept = [os.dup(stream) for stream in (1, 2)]
    with open(os.devnull, "w") as nowhere:
        for stream in (1, 2):
            os.dup2(nowhere.fileno(), stream)
        try:
            yield
        finally:
            for stream, copy in zip((1, 2), kept, strict=True):
                os.dup2(copy, stream)
                os.close(copy)


def _try(solver: str, fit: Callable[..., Fitted], X: np.ndarray, k: int, seeds: int) -> list[Run]:
    try:
        return [measure(fit, X, k, seed) for seed in range(seeds)]
    except ImportError as error:
        print(f"{solver} is left out: {error}", file=sys.stderr)
        return []


def _fit_peer(model: PeerNMF | MiniBatchNMF, X: np.ndarray) -> Fitted:
    W = model.fit_transform(X)
    return W, model.components_, model.n_iter_, model.n_iter_ < model.max_iter


def _row(name: str, solver: str, runs: list[Run], reference: float, best: float) -> str:
    seconds = [run.seconds for run in runs]
    above = [run.loss / best - 1 for run in runs]
    iterations = [run.iterations for run in runs]
    return (
        f"| {name} | {solver} | {np.median(seconds):.2f} ({min(seconds):.2f}-{max(seconds):.2f}) "
        f"| {reference / np.median(seconds):.1f} | {np.median(above):.1e} ({max(above):.1e}) "
        f"| {int(np.median(iterations))} | {sum(run.converged for run in runs)} of {len(runs)} |"
    )


def _extras(name: str, X: np.ndarray, k: int, worst: float) -> str:
    """Measure threads and memory, and say how the losses compare seed by seed."""
    seconds = {n: _time_rounds(X, k, n) for n in (1, 2)}
    tracemalloc.start()
    solution = factorise(Problem(X, k), rng=np.random.default_rng(0))
    peak = 1 + tracemalloc.get_traced_memory()[1] / X.nbytes
    tracemalloc.stop()
    return (
        f"| {name} | Partita | 2 threads {seconds[1] / seconds[2]:.2f} x one, an iteration "
        f"{1e3 * seconds[2]:.0f} ms | | worst loss against scikit-learn CD {worst:+.1e} "
        f"| {solution.report['passes']:.0f} passes | peak {peak:.2f} x the input |"
    )


def _time_rounds(X: np.ndarray, k: int, threads: int, rounds: int = 12) -> float:
    stamps: list[float] = []
    stopping = Stopping(0.0, rounds, lambda _: stamps.append(time.perf_counter()))
    start = Start("random", sketch=False)
    rng = np.random.default_rng(0)
    factorise(Problem(X, k), start, stopping, rng=rng, threads=threads)
    return float(np.median(np.diff(stamps)))


def _divergence(X: np.ndarray, W: np.ndarray, H: np.ndarray) -> float:
    total = 0.0
    for start in range(0, X.shape[1], 1000):
        data = X[:, start : start + 1000].astype(np.float64)
        fitted = np.maximum(W.astype(np.float64) @ H[:, start : start + 1000], 1e-30)
        logs = np.log(np.where(data > 0, data, 1) / fitted)
        total += float((np.where(data > 0, data * logs, 0) - data + fitted).sum())
    return total


if __name__ == "__main__":
    main()
