"""What the scripts of this folder share: a task in a process of its own, and its section."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).parents[1]))

from reporting import describe, publish

__all__ = ["describe", "footprints", "peak_gib", "publish", "run"]


def run(script: str, *arguments: object, limit_gib: float | None = None) -> dict[str, Any]:
    """Run a script, its data segment limited (RLIMIT_DATA); return the JSON of its last line."""

    def limit() -> None:
        if limit_gib is not None:
            n_bytes = int(limit_gib * 2**30)
            resource.setrlimit(resource.RLIMIT_DATA, (n_bytes, n_bytes))

    command = [sys.executable, script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=limit, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def peak_gib() -> float:
    """Return the most memory that this process has held so far, resident."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def footprints(rng: np.random.Generator, sources: int, side: int, *, widest: float) -> np.ndarray:
    """Return Gaussian maps (sources, side * side), the widest a share of the side in sd."""
    y, x = np.mgrid[:side, :side].astype(np.float32)
    centres = rng.uniform(0, side, (sources, 2))
    widths = rng.uniform(0.02, widest, sources) * side
    maps = [
        np.exp(-((y - a) ** 2 + (x - b) ** 2) / (2 * w * w))
        for (a, b), w in zip(centres, widths, strict=True)
    ]
    return np.array(maps, np.float32).reshape(sources, -1)
