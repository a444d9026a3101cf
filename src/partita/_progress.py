"""What is said on stderr while something runs: its phase, how far it is, when it compiles.

On a terminal it is one line, which a thread draws twice a second at most, whatever runs. Elsewhere,
in a notebook or a log, each drawing would stay: there a line is written as a long phase ends, once
a phase, and one at the end.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread
from time import perf_counter
from typing import Any

from numba.core import event as numba_event

_SECONDS = 0.5  # between two redraws; phases that are shorter leave no line
_COMPILING = "compiling (once)"
_WORDS = "{desc}, {elapsed}"
_COUNT = "{desc}: {n_fmt}/{total_fmt} {unit}, {elapsed}"
# The first step holds what is done once (templates, compilation): until the second has ended
# nothing tells how long the rest takes.
_TELLING = 2


class ProgressLine:
    """A line that is being shown (see `progress`)."""

    def __init__(self, name: str, bar: Any, *, redrawn: bool = False) -> None:
        self._name, self._bar, self._redrawn = name, bar, redrawn
        self._lock, self._steps, self._words, self._compiling = Lock(), 0, "", 0
        self._phase, self._since, self._told = "", perf_counter(), {""}
        self._drawn = self.looks() if bar is not None else ()

    def update(self, n: float = 1) -> None:
        """Count a step that did `n` units."""
        if self._bar is None:
            return
        with self._lock:
            self._steps += 1
            self._bar.n += n

    def say(self, words: str) -> None:
        """Show how it stands, in words."""
        with self._lock:
            self._words = words

    def enter(self, phase: str) -> None:
        """Begin a phase; what is not redrawn tells the one before it, if that took a while."""
        if self._bar is None or phase == self._phase:
            return
        took = perf_counter() - self._since
        if took >= _SECONDS:
            self._tell_once(self._phase)
        self.say(phase)
        self._phase, self._since = phase, perf_counter()

    def compiles(self, event: Any) -> None:
        """Take note that numba begins or ends to compile one of Partita's kernels."""
        if not str(event.data["dispatcher"].py_func.__module__).startswith("partita."):
            return
        with self._lock:
            self._compiling += 1 if event.is_start else -1
        if event.is_start:
            self._tell_once(_COMPILING)

    def looks(self) -> tuple[Any, ...]:
        """Lay the line out, and return what tells whether it looks as before."""
        bar = self._bar
        with self._lock:
            words = _COMPILING if self._compiling else self._words
            told = self._steps >= _TELLING or bar.n == bar.total
            counts = bar.total is not None and told and not words
            bar.desc = f"{self._name}: {words}" if words else self._name
            bar.bar_format = _WORDS
            if counts:  # on a terminal as tqdm does
                bar.bar_format = None if self._redrawn else _COUNT
            return bar.bar_format, bar.desc, bar.n, int(bar.format_dict["elapsed"])

    def draw(self) -> None:
        """Draw the line, where it looks other than before."""
        looks = self.looks()
        if looks != self._drawn:
            self._drawn = looks
            self._bar.refresh()

    def end(self) -> None:
        """Leave the line as it is."""
        self.looks()  # as tqdm draws it when it is closed
        if not self._redrawn:
            self._write()

    def _tell_once(self, phase: str) -> None:
        if not self._redrawn and phase not in self._told:
            self._told.add(phase)
            self.looks()
            self._write()

    def _write(self) -> None:
        print(self._bar, file=sys.stderr, flush=True)


@contextmanager
def progress(
    name: str,
    total: float | None = None,
    *,
    unit: str = "steps",
    scaled: bool = False,
    shown: bool,
) -> Iterator[ProgressLine]:
    """Show how it goes while the block runs; its last state stays.

    Parameters
    ----------
    name : str
        What runs.
    total : float, optional
        How many units it takes, where that is known: then they are counted, and from the second
        step on the time left is estimated.
    unit : str
        What is counted.
    scaled : bool
        Whether it is counted in thousands or millions, where there are as many.
    shown : bool
        Whether there is a line at all.
    """
    if not shown or sys.stderr is None:  # as in a program without a console
        yield ProgressLine(name, None)
        return
    from tqdm import tqdm  # for a line alone: it takes a while to import

    terminal = sys.stderr.isatty()
    where = sys.stderr if terminal else io.StringIO()  # whence lines are taken one by one
    bar = tqdm(total=total, desc=name, unit=unit, unit_scale=scaled, bar_format=_WORDS, file=where)
    with bar:
        line = ProgressLine(name, bar, redrawn=terminal)
        with _listening(line), _redrawn(line, on=terminal):
            yield line


class _Listener(numba_event.Listener):
    def __init__(self, line: ProgressLine) -> None:
        self.line = line

    def on_start(self, event: Any) -> None:
        self.line.compiles(event)

    on_end = on_start


@contextmanager
def _listening(line: ProgressLine) -> Iterator[None]:
    listener = _Listener(line)
    numba_event.register("numba:compile", listener)
    try:
        yield
    finally:
        numba_event.unregister("numba:compile", listener)


@contextmanager
def _redrawn(line: ProgressLine, *, on: bool) -> Iterator[None]:
    over = Event()

    def redraw() -> None:
        while not over.wait(_SECONDS):
            line.draw()

    thread = Thread(target=redraw, name="partita progress", daemon=True)
    if on:
        thread.start()
    try:
        yield
    finally:
        over.set()
        if on:
            thread.join()
        line.end()
