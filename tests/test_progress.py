"""What a line of progress says, and when."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from numba.core.event import trigger_event

from partita import _progress
from partita._progress import progress


class Terminal(io.StringIO):
    """A terminal as far as one is asked."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Stand for a terminal that stderr is, where a line is drawn by hand alone."""
    monkeypatch.setattr(_progress, "_SECONDS", 3600)
    stderr = Terminal()
    monkeypatch.setattr(_progress, "sys", SimpleNamespace(stderr=stderr))
    return stderr


@pytest.fixture
def last(terminal):
    """Give what draws a line by hand, and returns how it looks then."""

    def drawn(line):
        already = len(terminal.getvalue())
        line.draw()
        return terminal.getvalue()[already:].rpartition("\r")[2].strip()

    return drawn


@pytest.fixture
def every_phase_is_long(monkeypatch):
    monkeypatch.setattr(_progress, "_SECONDS", 0)


def compiling(module):
    """Stand for the compilation of a function of a module."""
    function = SimpleNamespace(__module__=module)
    return trigger_event("numba:compile", data={"dispatcher": SimpleNamespace(py_func=function)})


def test_a_phase_is_said_in_words_without_a_total_or_a_time_left(last):
    with progress("NMF", shown=True) as line:
        line.enter("starts")
        assert last(line) == "NMF: starts, 00:00"
        line.enter("iterations")
        line.say("iteration 3, residual 2.0e-03 -> 1.0e-03")
        assert last(line) == "NMF: iteration 3, residual 2.0e-03 -> 1.0e-03, 00:00"


def test_no_time_left_is_estimated_before_the_second_step(last):
    with progress("motion", 80, unit="frames", shown=True) as line:
        line.update(20)
        assert "80" not in last(line)
        line.update(20)
        assert "40/80" in last(line)


def test_the_last_state_is_whole_after_one_step_that_was_all(terminal):
    with progress("motion", 80, unit="frames", shown=True) as line:
        line.update(80)
    assert "80/80" in terminal.getvalue()
    assert terminal.getvalue().count("\n") == 1


def test_it_says_so_while_kernels_compile(last):
    with progress("NMF", shown=True) as line:
        line.enter("starts")
        with compiling("partita._solvers.nmf.sweeps"):
            assert last(line) == "NMF: compiling (once), 00:00"
            with compiling("partita._solvers.compute.threads"):
                pass
            assert last(line) == ""  # it looks as before
        assert last(line).startswith("NMF: starts, 00:00")


def test_what_others_compile_is_not_its_own(last):
    with (
        progress("NMF", shown=True) as line,
        compiling("numba.np.arrayobj"),
        compiling("elsewhere"),
    ):
        assert last(line) == ""


def test_a_terminal_is_drawn_on_by_the_clock_alone(terminal):
    with progress("NMF", shown=True) as line:
        already = terminal.getvalue()
        for number in range(300):
            line.update()
            line.enter(f"phase {number}")
            line.say(f"iteration {number}")
        assert terminal.getvalue() == already
    assert terminal.getvalue().count("\n") == 1


def test_elsewhere_a_line_is_written_as_each_long_phase_ends_and_one_at_the_end(
    every_phase_is_long, capsys
):
    with progress("NMF", shown=True) as line:
        line.enter("starts")
        line.say("start 3")
        with compiling("partita._solvers.nmf.sweeps"):
            pass
        line.enter("sketch")
        line.enter("starts")  # again: told already
        with compiling("partita._solvers.nmf.sweeps"):
            pass
        line.enter("iterations")
        for number in range(300):
            line.say(f"iteration {number}")
    assert capsys.readouterr().err.splitlines() == [
        "NMF: compiling (once), 00:00",
        "NMF: start 3, 00:00",
        "NMF: sketch, 00:00",
        "NMF: iteration 299, 00:00",
    ]


def test_elsewhere_what_is_counted_is_one_line(capsys):
    with progress("motion", 80, unit="frames", shown=True) as line:
        for _ in range(80):
            line.update()
    assert capsys.readouterr().err == "motion: 80/80 frames, 00:00\n"


def test_elsewhere_short_phases_leave_the_end_alone(monkeypatch, capsys):
    monkeypatch.setattr(_progress, "_SECONDS", 3600)
    with progress("NMF", shown=True) as line:
        for phase in ("starts", "sketch", "iterations"):
            line.enter(phase)
    assert capsys.readouterr().err == "NMF: iterations, 00:00\n"


def test_the_last_state_stays_where_what_runs_fails(capsys):
    def fails():
        with progress("NMF", shown=True) as line:
            line.enter("starts")
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        fails()
    assert capsys.readouterr().err == "NMF: starts, 00:00\n"


def test_nothing_is_shown_unasked(capsys):
    with progress("NMF", shown=False) as line:
        line.enter("starts")
        line.update()
        line.say("iteration 2")
    assert capsys.readouterr().err == ""


def test_a_program_without_a_console_runs_on(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", None)
    with progress("NMF", shown=True) as line:
        line.say("iteration 2")
    assert capsys.readouterr() == ("", "")


FIT = """
import partita
recording = partita.datasets.load_sample().clip(min=0)
partita.NMF(3, random_state=0, verbose=1).fit(recording)
"""


@pytest.mark.slow
def test_the_first_fit_of_an_install_says_that_it_compiles_and_the_second_does_not(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}

    def lines():
        done = subprocess.run(
            [sys.executable, "-c", FIT], env=environment, capture_output=True, text=True, check=True
        )
        assert "\r" not in done.stderr
        return done.stderr.splitlines()

    cold, warm = lines(), lines()
    assert len(cold) <= 5
    assert cold[0] == "NMF: compiling (once), 00:00"
    assert "certificate" in cold[-1]
    assert not any("compiling" in line for line in warm)
