"""How much memory this process may still take: of the machine, its control group and its limits.

Linux says it in files, read here from a root that tests can make up; elsewhere psutil does.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil

_ROOT = Path("/")
_UNLIMITED = 1 << 60


def memory_limit(root: Path = _ROOT) -> int:
    """Return how many bytes this process may hold in all.

    Parameters
    ----------
    root : pathlib.Path
        Where ``proc`` and ``sys`` are.
    """
    limits = [limit for limit, _ in _bounds(root)]
    physical = _fields(root / "proc/meminfo").get("MemTotal")
    return min([*limits, psutil.virtual_memory().total if physical is None else physical])


def available_memory(root: Path = _ROOT) -> int:
    """Return how many bytes this process may take beyond what it holds.

    Parameters
    ----------
    root : pathlib.Path
        Where ``proc`` and ``sys`` are.
    """
    left = [max(0, limit - used) for limit, used in _bounds(root)]
    free = _fields(root / "proc/meminfo").get("MemAvailable")
    return min([*left, psutil.virtual_memory().available if free is None else free])


def _bounds(root: Path) -> Iterator[tuple[int, int]]:
    """Give (limit, used) of every limit that there is."""
    yield from _of_groups(root)
    yield from _of_process(root)


def _of_groups(root: Path) -> Iterator[tuple[int, int]]:
    """Give the limits of the control groups around this process; pages read ahead do not count."""
    names = {"": "/"}
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, name = line.split(":", 2)
        if controllers in ("", "memory"):
            names[controllers] = name
    for controllers, limit, used, cache in (
        ("", "memory.max", "memory.current", "inactive_file"),
        ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        top = root / "sys/fs/cgroup" / controllers
        own = top / names.get(controllers, "/").strip("/")
        for folder in (own, *own.parents):
            most, now = _text(folder / limit), _text(folder / used)
            if most.isdigit() and int(most) < _UNLIMITED and now.isdigit():
                held = dict(line.split() for line in _text(folder / "memory.stat").splitlines())
                yield int(most), max(0, int(now) - int(held.get(cache, 0)))
            if folder == top:
                break


def _of_process(root: Path) -> Iterator[tuple[int, int]]:
    """Give what ``ulimit -v`` and ``ulimit -d`` have set."""
    try:
        import resource
    except ModuleNotFoundError:  # not on Windows
        return
    held = _fields(root / "proc/self/status") or {"VmSize": psutil.Process().memory_info().vms}
    for limit, field in ((resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData")):
        most = resource.getrlimit(limit)[0]
        if most != resource.RLIM_INFINITY and field in held:
            yield most, held[field]


def _fields(path: Path) -> dict[str, int]:
    """Return the fields of a file of ``proc`` that are in kB, as bytes."""
    pairs = (line.split(":", 1) for line in _text(path).splitlines() if line.endswith("kB"))
    return {name: int(value.removesuffix("kB")) << 10 for name, value in pairs}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
