"""NMF of a recording several times as large as memory, against a plain read of the same store.

python benchmarks/scale/out_of_core.py --folder /somewhere/large          12 GB, k 20
python benchmarks/scale/out_of_core.py --folder /somewhere --samples 300 --side 256 --compare

The fit runs in a process of its own whose data segment is limited (RLIMIT_DATA); its peak resident
memory, the passes it made and its seconds are reported. `--compare` also fits in memory, where the
recording fits, and compares the losses.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import common
import numpy as np

PACKAGES = ("partita", "numpy", "numba", "dask", "zarr")


def make(path: Path, *, samples: int, side: int, sources: int, chunks: tuple[int, ...]) -> None:
    """Write rectified dF/F of overlapping cells and neuropil, block of time by block of time."""
    import zarr

    rng = np.random.default_rng(0)
    maps = common.footprints(rng, sources, side, widest=0.08)
    signals = events(rng, samples, sources)
    group = zarr.open_group(path, mode="w")
    array = group.create_array(
        "recording", shape=(samples, side, side), chunks=chunks, dtype="float32",
        dimension_names=("time", "y", "x"),
    )  # fmt: skip
    step = chunks[0]
    for start in range(0, samples, step):
        rows = signals[start : start + step] @ maps
        rows += 0.25 * rng.standard_normal(rows.shape, dtype=np.float32)
        array[start : start + step] = np.maximum(rows, 0).reshape(-1, side, side)


def events(rng: np.random.Generator, samples: int, sources: int) -> np.ndarray:
    """Return signals (samples, sources) that jump now and then, and decay."""
    spikes = rng.poisson(0.02, (samples, sources)) * rng.uniform(0.5, 1.5, sources)
    signals = np.zeros((samples, sources), np.float32)
    for t in range(1, samples):
        signals[t] = 0.96 * signals[t - 1] + spikes[t]
    return signals


def open_lazily(path: Path) -> object:
    """Return the store as a recording that stays there, in the chunks that it is stored in."""
    import zarr

    import partita as pt

    stored = zarr.open_group(path, mode="r")["recording"].chunks
    return pt.load(path, chunks=dict(zip(("time", "y", "x"), stored, strict=True)))


def fit(path: Path, k: int, *, in_memory: bool) -> dict[str, object]:
    """Fit, and return what was measured."""
    import partita as pt

    recording = open_lazily(path)
    recording = recording.compute() if in_memory else recording
    clock = time.perf_counter()
    model = pt.NMF(k, random_state=0).fit(recording)
    seconds = time.perf_counter() - clock
    return {
        "seconds": seconds, "loss": float(model.losses_[-1]), "passes": model.fit_report_["passes"],
        "iterations": model.n_iter_, "converged": bool(model.converged_),
        "residual": float(np.hypot(*model.optimality_["residual"].values)),
        "peak_gib": common.peak_gib(),
        "parts": {name: round(value, 1) for name, value in model.fit_report_["seconds"].items()},
    }  # fmt: skip


def read(path: Path) -> dict[str, object]:
    """Read the store once, chunk by chunk, by dask's threads."""
    recording = open_lazily(path)
    clock = time.perf_counter()
    recording.data.map_blocks(lambda block: block[:1, :1, :1], dtype="f4").compute()
    return {"seconds": time.perf_counter() - clock}


def main() -> None:
    """Make the data where they are missing, run the tasks, and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=3000)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--components", type=int, default=20)
    parser.add_argument("--chunks", type=int, nargs=3, default=(10, 512, 1024))
    parser.add_argument("--limit", type=float, default=2.0, help="GiB of RLIMIT_DATA")
    parser.add_argument("--compare", action="store_true", help="fit in memory as well")
    parser.add_argument("--write", action="store_true", help="append to RESULTS.md")
    parser.add_argument("--task", choices=("fit", "memory", "read"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    path = options.folder / "recording.zarr"
    if options.task:
        done = (
            read(path)
            if options.task == "read"
            else fit(path, options.components, in_memory=options.task == "memory")
        )
        print(json.dumps(done))
        return
    if not path.exists():
        make(
            path, samples=options.samples, side=options.side, sources=options.components,
            chunks=tuple(options.chunks),
        )  # fmt: skip
    same = ("--folder", options.folder, "--components", options.components, "--task")
    plain = [common.run(__file__, *same, "read")["seconds"] for _ in range(2)]
    done = common.run(__file__, *same, "fit", limit_gib=options.limit)
    lines = common.describe("Out of core", PACKAGES)
    lines += _report(options, path, min(plain), done)
    if options.compare:
        memory = common.run(__file__, *same, "memory")
        lines += [
            "",
            f"In memory: {memory['seconds']:.1f} s, loss {memory['loss']:.8g}; from the store "
            f"{done['loss'] / memory['loss'] - 1:+.1e}.",
        ]
    common.publish(lines, write=options.write)


def _report(options: argparse.Namespace, path: Path, plain: float, done: dict) -> list[str]:
    shape = open_lazily(path).shape
    n_bytes = 4 * np.prod(shape) / 1e9
    return [
        "| recording | k | data limit | peak resident | passes in all | converged, residual | "
        "fit | one plain read | ratio |",
        "|---|---|---|---|---|---|---|---|---|",
        f"| {' x '.join(map(str, shape))}, {n_bytes:.1f} GB | {options.components} | "
        f"{options.limit} GiB | {done['peak_gib']:.2f} GiB | {done['passes']:.0f} | "
        f"{done['converged']}, {done['residual']:.1e} | {done['seconds']:.0f} s | {plain:.0f} s | "
        f"{done['seconds'] / plain:.1f} |",
    ]


if __name__ == "__main__":
    main()
