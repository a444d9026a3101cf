"""How much memory there is: the tightest of the machine, the control groups and the limits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from partita._solvers.compute.memory import available_memory, memory_limit

GIB = 1 << 30


@pytest.fixture
def root(tmp_path):
    """Make a machine with 8 GiB free of memory, and no limits."""
    write(tmp_path, "proc/meminfo", "MemTotal: 16777216 kB\nMemAvailable: 8388608 kB\n")
    return tmp_path


def write(root, name, text):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_without_limits_it_is_what_the_machine_has_left(root):
    assert available_memory(root) == 8 * GIB


def test_a_group_leaves_its_limit_less_what_it_holds_beside_caches(root):
    write(root, "proc/self/cgroup", "0::/job\n")
    write(root, "sys/fs/cgroup/job/memory.max", f"{4 * GIB}\n")
    write(root, "sys/fs/cgroup/job/memory.current", f"{3 * GIB}\n")
    write(root, "sys/fs/cgroup/job/memory.stat", f"anon 5\ninactive_file {2 * GIB}\n")
    assert available_memory(root) == 3 * GIB
    assert memory_limit(root) == 4 * GIB


def test_the_groups_around_a_group_count_too(root):
    write(root, "proc/self/cgroup", "0::/user/job\n")
    write(root, "sys/fs/cgroup/user/job/memory.max", "max\n")
    write(root, "sys/fs/cgroup/user/memory.max", f"{2 * GIB}\n")
    write(root, "sys/fs/cgroup/user/memory.current", f"{GIB}\n")
    assert available_memory(root) == GIB


def test_groups_of_the_older_kind_are_read_and_unlimited_ones_are_none(root):
    write(root, "proc/self/cgroup", "4:memory:/job\n0::/\n")
    folder = "sys/fs/cgroup/memory/job"
    write(root, f"{folder}/memory.usage_in_bytes", f"{GIB}\n")
    write(root, f"{folder}/memory.limit_in_bytes", "9223372036854771712\n")
    assert available_memory(root) == 8 * GIB
    write(root, f"{folder}/memory.limit_in_bytes", f"{3 * GIB}\n")
    assert available_memory(root) == 2 * GIB


def test_the_memory_of_the_machine_bounds_what_a_process_may_hold(root):
    assert memory_limit(root) == 16 * GIB


def test_where_there_is_no_proc_the_system_is_asked(tmp_path):
    machine = psutil.virtual_memory()
    assert memory_limit(tmp_path) == machine.total
    assert 0 < available_memory(tmp_path) < machine.total


def limit_addresses(monkeypatch, most):
    resource = pytest.importorskip("resource", reason="Windows knows no limits of a process")
    limits = {resource.RLIMIT_AS: most, resource.RLIMIT_DATA: resource.RLIM_INFINITY}
    monkeypatch.setattr(resource, "getrlimit", lambda limit: (limits[limit], limits[limit]))


def test_a_limit_of_addresses_leaves_what_the_process_does_not_hold(root, monkeypatch):
    limit_addresses(monkeypatch, 7 * GIB)
    write(root, "proc/self/status", f"VmSize: {2 << 20} kB\n")
    assert available_memory(root) == 5 * GIB
    assert memory_limit(root) == 7 * GIB


def test_where_there_is_no_proc_such_a_limit_counts_too(tmp_path, monkeypatch):
    held = psutil.Process().memory_info().vms
    limit_addresses(monkeypatch, held + (64 << 20))
    assert available_memory(tmp_path) == pytest.approx(64 << 20, abs=16 << 20)
    assert memory_limit(tmp_path) == min(held + (64 << 20), psutil.virtual_memory().total)


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="what counts to this limit is read from /proc"
)
def test_a_limit_of_the_process_bounds_both():
    resource = pytest.importorskip("resource", reason="Windows knows no limits of a process")
    script = (
        "from partita._solvers.compute.memory import available_memory, memory_limit\n"
        "print(available_memory(), memory_limit())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        encoding="utf-8",
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (GIB, GIB)),
    )
    available, limit = (int(word) for word in done.stdout.split())
    assert available < GIB
    assert limit <= GIB
