"""Locks that a process holds are open in what is forked from it."""

from __future__ import annotations

from partita._solvers.compute.forks import FreshLock


def test_a_lock_made_anew_is_open_whoever_held_it() -> None:
    lock = FreshLock()
    lock._lock.acquire()
    lock.make_anew()
    with lock:
        assert lock._lock.locked()
    assert not lock._lock.locked()
