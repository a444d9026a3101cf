"""Names for what is being written, and the removal of what killed saves have left."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import shutil
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

# How the names begin of what is not whole yet.
UNFINISHED = ".unfinished-"

# What another machine writes to a shared folder is left alone for so long.
_ELSEWHERE_SECONDS = 7 * 24 * 3600.0
_LONGEST_NAME = 255  # bytes, on the usual file systems
_LONGEST_SUFFIX = 16

_in_use: set[str] = set()


@contextlib.contextmanager
def temporary(*paths: Path) -> Iterator[tuple[Path, ...]]:
    """Give a hidden name beside each path, and remove what is there at the end.

    What a killed save of the same path has left is removed first. The names are short, whatever the
    path is called, and keep its suffix, because writers look at it.
    """
    for path in paths:
        _sweep(path)
    names = tuple(path.with_name(_name_for(path)) for path in paths)
    _in_use.update(name.name for name in names)
    try:
        yield names
    finally:
        with uninterrupted():
            for name in names:
                remove(name)
            _in_use.difference_update(name.name for name in names)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back until the block has ended."""
    before: Any = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    held: list[tuple[Any, ...]] = []
    signal.signal(signal.SIGINT, lambda *about: held.append(about))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if held:
            before(*held[0])


def remove(path: Path) -> None:
    """Remove a file or a folder, also one that a thread is still writing to."""
    if not path.is_dir():
        path.unlink(missing_ok=True)
        return
    shutil.rmtree(path, ignore_errors=True)
    for pause in (0.02, 0.05, 0.1, 0.2, 0.5, 1.0):
        if not path.exists():
            return
        time.sleep(pause)
        shutil.rmtree(path, ignore_errors=True)


def shortened(name: str, suffix: str) -> str:
    """Return a name with a suffix, cut and told apart by a digest where it would be too long."""
    if len(os.fsencode(name + suffix)) <= _LONGEST_NAME:
        return name + suffix
    mark = f"~{_digest(name)}"
    kept = os.fsencode(name)[: _LONGEST_NAME - len(mark) - len(suffix)]
    return kept.decode(errors="ignore") + mark + suffix


def _name_for(path: Path) -> str:
    mark = uuid.uuid4().hex[:8]
    suffix = path.suffix if len(os.fsencode(path.suffix)) <= _LONGEST_SUFFIX else ""
    return f"{UNFINISHED}{_machine()}-{os.getpid()}-{_digest(path.name)}-{mark}{suffix}"


def _sweep(path: Path) -> None:
    for left in path.parent.glob(f"{UNFINISHED}*-*-{_digest(path.name)}-*"):
        if _is_abandoned(left):
            remove(left)


def _is_abandoned(left: Path) -> bool:
    """Tell whether nobody writes there any more."""
    import psutil  # only where something was left

    machine, process = left.name.removeprefix(UNFINISHED).split("-")[:2]
    try:
        changed = left.stat().st_mtime
        if machine != _machine():
            return time.time() - changed > _ELSEWHERE_SECONDS
        if int(process) == os.getpid():
            return left.name not in _in_use
        # A process that began later bears the number of the one that was killed.
        return psutil.Process(int(process)).create_time() > changed
    except psutil.NoSuchProcess:
        return True
    except (OSError, ValueError, psutil.Error):
        return False


@cache
def _machine() -> str:
    """Return what tells apart machines, and containers on one, whose processes count from 1."""
    try:
        numbers = os.readlink("/proc/self/ns/pid")
    except OSError:
        numbers = ""
    return _digest(platform.node() + numbers)


def _digest(text: str) -> str:
    return hashlib.blake2b(os.fsencode(text), digest_size=5).hexdigest()
