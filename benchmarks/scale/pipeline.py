"""The whole pipeline (motion, dF/F, NMF) on a recording several times as large as memory.

python benchmarks/scale/pipeline.py --folder /somewhere/large            6 GB under 2 GiB, k 20
python benchmarks/scale/pipeline.py --folder /somewhere --samples 600 --side 512 --limit 0.75

Once with the cleaned recording saved and loaded again before the fit, and once in one go,
everything before the fit lazy; each in a process of its own whose data segment is common.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import common
import numpy as np
from out_of_core import PACKAGES, events

WAYS = {"stored": "cleaned, saved, loaded, fitted", "lazily": "in one go, nothing saved"}


def make(path: Path, *, samples: int, side: int, sources: int, frames: int) -> None:
    """Write bleaching, moving tissue with cells that are active, block of time by block."""
    import zarr
    from scipy import ndimage

    rng = np.random.default_rng(0)
    maps = common.footprints(rng, sources, side, widest=0.06)
    texture = ndimage.gaussian_filter(rng.standard_normal((side, side), np.float32), 2)
    tissue = 100 + 40 * texture / texture.std()
    tissue = np.maximum(tissue, 40)
    signals = events(rng, samples, sources)
    moved = ndimage.gaussian_filter1d(rng.standard_normal((samples, 2)), 5, axis=0) * 8
    array = zarr.open_group(path, mode="w").create_array(
        "recording", shape=(samples, side, side), chunks=(frames, side, side), dtype="float32",
        dimension_names=("time", "y", "x"),
    )  # fmt: skip
    for start in range(0, samples, frames):
        rows = np.maximum(1 + signals[start : start + frames] @ maps, 0).reshape(-1, side, side)
        rows *= tissue
        for t, frame in enumerate(rows, start):
            frame[:] = ndimage.shift(frame, moved[t], order=1, mode="nearest")
            frame *= 0.8 + 0.2 * np.exp(-2 * t / samples)
            frame += 10 * rng.standard_normal(frame.shape, np.float32)
        array[start : start + frames] = rows


def clean(path: Path, frames: int) -> object:
    """Return dF/F of the registered recording, lazily."""
    import partita as pt

    recording = pt.load(path, chunks={"time": frames})
    recording = recording.assign_coords(time=("time", np.arange(len(recording)) / 10.0))
    recording["time"].attrs["units"] = "s"
    still = pt.preprocess.register(recording, transform="translation")
    return pt.preprocess.delta_f_over_f(still, rectify=True)


def pipeline(path: Path, k: int, frames: int, *, stored: bool) -> dict[str, object]:
    """Run it, and return what was measured."""
    import partita as pt

    begin = time.perf_counter()
    prepared = clean(path, frames)
    called = time.perf_counter()
    if stored:
        beside = path.with_name("clean.zarr")
        pt.save(prepared, beside)
        prepared = pt.load(beside, chunks={"time": frames})
    saved = time.perf_counter()
    model = pt.NMF(k, random_state=0).fit(prepared)
    return {
        "called": called - begin, "saved": saved - called, "fit": time.perf_counter() - saved,
        "loss": float(model.losses_[-1]), "passes": model.fit_report_["passes"],
        "converged": bool(model.converged_), "peak_gib": common.peak_gib(),
        "residual": float(np.hypot(*model.optimality_["residual"].values)),
    }  # fmt: skip


def main() -> None:
    """Make the recording where it is missing, run both ways, and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=1500)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--components", type=int, default=20)
    parser.add_argument("--frames", type=int, default=10, help="in a chunk")
    parser.add_argument("--limit", type=float, default=2.0, help="GiB of RLIMIT_DATA")
    parser.add_argument("--ways", nargs="+", choices=tuple(WAYS), default=tuple(WAYS))
    parser.add_argument("--write", action="store_true", help="append to RESULTS.md")
    parser.add_argument("--task", choices=tuple(WAYS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    path = options.folder / f"moving_{options.samples}_{options.side}.zarr"
    k, frames = options.components, options.frames
    if options.task:
        print(json.dumps(pipeline(path, k, frames, stored=options.task == "stored")))
        return
    if not path.exists():
        make(path, samples=options.samples, side=options.side, sources=k, frames=frames)
    same = ("--folder", options.folder, "--samples", options.samples, "--side", options.side)
    same = (*same, "--components", k, "--frames", frames)
    done = {
        way: common.run(__file__, *same, "--task", way, limit_gib=options.limit)
        for way in options.ways
    }
    common.publish(_report(options, done), write=options.write)


def _report(options: argparse.Namespace, done: dict[str, dict]) -> list[str]:
    n_bytes = 4 * options.samples * options.side**2 / 1e9
    remark = (
        "register (translation) → delta_f_over_f (minimum, rectified) → NMF of a recording of "
        f"{options.samples} x {options.side} x {options.side} float32, {n_bytes:.1f} GB, "
        f"{options.limit} GiB of data segment."
    )
    rows = [
        f"| {WAYS[way]} | {one['peak_gib']:.2f} GiB | {one['converged']}, {one['residual']:.1e} | "
        f"{one['passes']:.0f} | {one['called']:.0f} s | {one['saved']:.0f} s | {one['fit']:.0f} s "
        f"| {one['called'] + one['saved'] + one['fit']:.0f} s |"
        for way, one in done.items()
    ]
    return [
        *common.describe("The whole pipeline out of core", PACKAGES, remark),
        "| way | peak resident | converged, residual | passes of the fit | motion and baseline | "
        "saving | fit | in all |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
        "",
        f"Loss: {' and '.join(format(one['loss'], '.8g') for one in done.values())}.",
    ]


if __name__ == "__main__":
    main()
