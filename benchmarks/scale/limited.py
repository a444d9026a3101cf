"""One task of a benchmark in a process of its own, with so much memory and no more."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from typing import Any


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
