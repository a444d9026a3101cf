"""Chunks scattered over a large .nii.gz, against one read of the file from end to end.

python benchmarks/scale/gzip_reading.py --folder /somewhere            a file of 1 GB
python benchmarks/scale/gzip_reading.py --folder /somewhere --times 400 --write

The file is made where it is missing: int16 noise on a smooth image, which gzip hardly compresses.
Every measurement is a process of its own, so none finds an index that another has built. A chunk
that was read is averaged, as in a pass over the recording, not kept. Seconds are of the
processor, all threads together: the machine may be busy.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
import zlib
from pathlib import Path

import common
import numpy as np

SHAPE = (128, 128, 40)  # x, y, z
SCATTERED = 20


def make(path: Path, times: int) -> None:
    """Write a run of `times` volumes, a few at a time."""
    import nibabel as nib
    from scipy import ndimage

    rng = np.random.default_rng(0)
    header = nib.Nifti1Header()
    header.set_data_shape((*SHAPE, times))
    header.set_data_dtype(np.int16)
    header.set_zooms((2.0, 2.0, 2.0, 1.0))
    header.set_xyzt_units("mm", "sec")
    header["magic"], header["vox_offset"] = b"n+1", 352
    mean = 8000 + 4e4 * ndimage.gaussian_filter(rng.standard_normal(SHAPE, np.float32), 8)
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(header.binaryblock + bytes(4))
        for _ in range(times):
            volume = mean + 150 * rng.standard_normal(SHAPE, np.float32)
            file.write(volume.astype("<i2").tobytes(order="F"))


def sequential(path: Path) -> dict[str, float]:
    """Read the file from end to end, decompressed, by Python's gzip and by nibabel."""
    import nibabel as nib

    clock = time.process_time()
    with gzip.open(path) as file:
        while file.read(1 << 20):
            pass
    seconds = {"gzip": time.process_time() - clock}
    clock = time.process_time()
    np.asanyarray(nib.load(path).dataobj)
    return {**seconds, "nibabel": time.process_time() - clock}


def scattered(path: Path, chunks: int, order: str) -> dict[str, float]:
    """Load, and read 20 chunks one by one; then 20 others, with the index there is by now."""
    import partita as pt

    start = time.process_time()
    recording = pt.load(path, chunks="auto" if chunks == 0 else chunks)
    starts = np.cumsum([0, *recording.chunksizes["time"]])
    drawn = np.random.default_rng(1).permutation(starts.size - 1)

    def read(some: np.ndarray) -> float:
        in_order = {"falling": np.sort(some)[::-1], "random": some}
        for chunk in in_order[order]:
            recording.isel(time=slice(starts[chunk], starts[chunk + 1])).mean().compute()
        return time.process_time()

    middle = read(drawn[:SCATTERED])
    end = read(drawn[-SCATTERED:])
    return {"first": middle - start, "again": end - middle, "chunks": int(drawn.size)}


def main() -> None:
    """Make the file where it is missing, measure, and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--times", type=int, default=1000)
    parser.add_argument("--write", action="store_true", help="append to RESULTS.md")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    options = parser.parse_args()
    path = options.folder / f"run_{options.times}.nii.gz"
    if options.task:
        name, *how = options.task.split(",")
        done = sequential(path) if name == "all" else scattered(path, int(how[0]), how[1])
        print(json.dumps(done))
        return
    if not path.exists():
        make(path, options.times)
    common.publish(_report(path, options), write=options.write)


def _report(path: Path, options: argparse.Namespace) -> list[str]:
    common = (__file__, "--folder", options.folder, "--times", options.times, "--task")
    whole = common.run(*common, "all")
    rows = []
    for chunks in (0, 10):
        for order in ("random", "falling"):
            done = common.run(*common, f"scattered,{chunks},{order}")
            rows.append(
                f"| {chunks or 'as by default'}, {done['chunks']} in all | {order} | "
                f"{done['first']:.1f} s | {done['first'] / whole['gzip']:.2f} | "
                f"{done['again']:.1f} s | {done['again'] / whole['gzip']:.2f} |"
            )
    compressed = path.stat().st_size / 1e9
    raw = 2 * np.prod(SHAPE) * options.times / 1e9
    remark = (
        f"zlib {zlib.ZLIB_RUNTIME_VERSION}. A file of {compressed:.2f} GB, {raw:.2f} GB "
        f"decompressed. One read from end to end: gzip {whole['gzip']:.1f} s, nibabel "
        f"{whole['nibabel']:.1f} s. {SCATTERED} chunks, one by one, against that of gzip."
    )
    return [
        *common.describe("Scattered chunks of a .nii.gz", ("partita", "numpy"), remark),
        "| chunks | order | first, building the index | ratio | others, with it | ratio |",
        "|---|---|---|---|---|---|",
        *rows,
    ]


if __name__ == "__main__":
    main()
