"""Compiled loops follow every edit of any of them, and work where nothing can be kept on disk."""

from __future__ import annotations

import errno
import os
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from numba import config

from partita._solvers.compute import compilation
from partita._solvers.compute.compilation import compiled
from partita._solvers.registration.splines import cubic_weights

INNER = """
from .compute.compilation import compiled

FACTOR = 2.0

@compiled
def scale(x):
    return FACTOR * x
"""
OUTER = """
from .compute.compilation import compiled
from .inner import scale

@compiled
def total(n):
    result = 0.0
    for i in range(n):
        result += scale(i)
    return result
"""
PROGRAM = """
from small.outer import total
print(total(4), sum(total.stats.cache_hits.values()))
"""


@pytest.fixture
def house(tmp_path):
    """Make a small package with a room that compiles, an inner kernel and one that calls it."""
    rooms = tmp_path / "small" / "compute"
    rooms.mkdir(parents=True)
    for folder in (rooms, rooms.parent):
        (folder / "__init__.py").touch()
    (rooms / "compilation.py").write_text(
        Path(compilation.__file__).read_text(encoding="utf-8"), encoding="utf-8"
    )
    (rooms.parent / "inner.py").write_text(INNER, encoding="utf-8")
    (rooms.parent / "outer.py").write_text(OUTER, encoding="utf-8")
    return rooms.parent


def run(house, program=PROGRAM, **environment):
    """Run a program that imports a house in a process of its own; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        encoding="utf-8",
        check=True,
        env={**os.environ, "PYTHONPATH": str(house.parent), **environment},
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_an_edit_of_an_inner_kernel_reaches_its_callers(house):
    assert run(house) == ["12.0", "0"]
    (house / "inner.py").write_text(INNER.replace("2.0", "3.0"), encoding="utf-8")
    assert run(house) == ["18.0", "0"]


def test_what_no_edit_of_a_kernel_has_made_stale_is_not_compiled_again(house):
    run(house)
    os.utime(house / "inner.py", (1, 1))
    (house / "plain.py").write_text("FACTOR = 3.0\n", encoding="utf-8")
    assert run(house) == ["12.0", "1"]


@pytest.mark.skipif(sys.platform == "win32", reason="where users keep caches is not in a variable")
def test_kept_code_is_loaded_without_what_only_compiling_needs(house):
    program = """
    import sys
    import numpy as np
    from small.outer import total
    print(total(4), "numba.np.linalg" in sys.modules)
    print(total(np.int8(4)) if "compile" in sys.argv else "", "numba.np.linalg" in sys.modules)
    """
    assert run(house, program) == ["12.0", "True", "True"]
    assert run(house, program) == ["12.0", "False", "False"]
    more = program.replace('"compile" in sys.argv', "True")
    assert run(house, more) == ["12.0", "False", "12.0", "True"]


def test_where_no_place_is_writable_kernels_are_compiled_in_memory(house, tmp_path):
    blocked = tmp_path / "file"
    blocked.touch()
    (house / "__pycache__").touch()
    nowhere = {"HOME": str(blocked), "XDG_CACHE_HOME": str(blocked), "NUMBA_CACHE_DIR": ""}
    for _ in range(2):
        assert run(house, PYTHONDONTWRITEBYTECODE="1", **nowhere) == ["12.0", "0"]


def test_a_function_without_a_file_is_compiled_in_memory():
    namespace = {}
    exec("def double(x):\n    return 2 * x", namespace)
    double = compiled(namespace["double"])
    assert double(3.0) == 6.0
    assert double.signatures


@pytest.mark.slow
def test_a_kernel_travels_to_another_process(house, tmp_path):
    path = tmp_path / "kernel"
    save = f"""
        import pickle
        from small.outer import total
        with open({str(path)!r}, "wb") as file:
            pickle.dump(total, file)
    """
    load = f"""
        import pickle
        with open({str(path)!r}, "rb") as file:
            print(pickle.load(file)(4))
    """
    run(house, save)
    assert run(house, load) == ["12.0"]


def test_a_pickled_kernel_is_the_kernel():
    assert pickle.loads(pickle.dumps(cubic_weights)) is cubic_weights


def test_two_types_that_are_compiled_at_once_keep_their_own_code(tmp_path):
    one, other, later = (compilation._Files(str(tmp_path), "kernel", "stamp") for _ in range(3))
    other._load_index = dict  # it has looked before the first was there
    write = one._save_data

    def overtaken(name, data):
        other.save("double", "code for double")
        write(name, data)

    one._save_data = overtaken
    one.save("single", "code for single")
    assert later.load("double") == "code for double"
    assert later.load("single") == "code for single"


def test_a_full_disk_leaves_the_code_in_memory(tmp_path, monkeypatch) -> None:
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(compilation._Files, "_save_data", full)
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))

    @compiled
    def doubled(x):
        return 2 * x

    assert doubled(2.0) == 4.0
    assert not list(tmp_path.rglob("*.nb[ci]"))
