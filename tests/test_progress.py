"""What a line of progress says, and when."""

from __future__ import annotations

import os
import subprocess
import sys
from time import perf_counter
from types import SimpleNamespace

import pytest
from numba.core.event import trigger_event

from partita import _progress
from partita._progress import progress

LAYOUT = "{desc}: step {n_fmt} of {total_fmt}, {elapsed}{postfix}"


@pytest.fixture
def last(monkeypatch, capsys):
    """Give what draws a line by hand, and returns how it looks then."""
    monkeypatch.setattr(_progress, "_SECONDS", 3600)

    def drawn(line):
        line.draw()
        return capsys.readouterr().err.rpartition("\r")[2].strip()

    return drawn


def compiling(module):
    """Stand for the compilation of a function of a module."""
    function = SimpleNamespace(__module__=module)
    return trigger_event("numba:compile", data={"dispatcher": SimpleNamespace(py_func=function)})


def test_no_total_is_shown_before_the_second_step(last):
    with progress("NMF", 500, layout=LAYOUT, shown=True) as line:
        assert last(line) == "NMF: 00:00"
        line.update(text="loss 3")
        assert last(line) == "NMF: 00:00, loss 3"
        line.update(text="loss 2")
        assert last(line) == "NMF: step 2 of 500, 00:00, loss 2"


def test_no_time_left_is_estimated_before_the_second_step(last):
    with progress("motion", 80, unit="frame", shown=True) as line:
        line.update(20)
        assert "80" not in last(line)
        line.update(20)
        assert "40/80" in last(line)


def test_the_last_state_is_whole_after_one_step_that_was_all(capsys):
    with progress("motion", 80, unit="frame", shown=True) as line:
        line.update(80)
    shown = capsys.readouterr().err
    assert "80/80" in shown
    assert shown.count("\n") == 1


def test_it_says_so_while_kernels_compile(last):
    with progress("NMF", 500, layout=LAYOUT, shown=True) as line:
        with compiling("partita._solvers.nmf.sweeps"):
            assert last(line) == "NMF: compiling (once), 00:00"
            with compiling("partita._solvers.compute.threads"):
                pass
            assert last(line) == ""  # it looks as before
        assert last(line) == "NMF: 00:00"


def test_what_others_compile_is_not_its_own(last):
    with (
        progress("NMF", 500, shown=True) as line,
        compiling("numba.np.arrayobj"),
        compiling("elsewhere"),
    ):
        assert last(line) == "NMF: 00:00"


def test_steps_draw_nothing_by_themselves(last, capsys):
    with progress("NMF", 500, shown=True) as line:
        capsys.readouterr()
        for _ in range(300):
            line.update()
        assert capsys.readouterr().err == ""


def test_nothing_is_shown_unasked(capsys):
    with progress("NMF", 500, shown=False) as line:
        line.update(text="loss 2")
    assert capsys.readouterr().err == ""


FIT = """
import partita
recording = partita.datasets.load_sample().clip(min=0)
partita.NMF(3, random_state=0, verbose=1).fit(recording)
"""


@pytest.mark.slow
def test_the_first_fit_of_an_install_says_that_it_compiles_and_the_second_does_not(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}

    def states():
        began = perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", FIT], env=environment, capture_output=True, text=True, check=True
        )
        states = [state.strip() for state in done.stderr.splitlines() if state.strip()]
        assert len(states) <= 2 * (perf_counter() - began) + 2
        return states

    cold, warm = states(), states()
    assert any("compiling (once)" in state for state in cold)
    assert "of at most" not in cold[0]
    assert "of at most 500" in cold[-1]
    assert not any("compiling" in state for state in warm)
