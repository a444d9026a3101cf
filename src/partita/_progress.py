"""One plain line on stderr while something runs: how far it is, and when it waits for compilation.

A thread draws it, twice a second at most, whatever runs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread
from typing import Any

from numba.core import event as numba_event

_SECONDS = 0.5  # between two redraws
_COMPILING = "{desc}: compiling (once), {elapsed}"
# The first step holds what is done once (starts, templates, compilation): until the second has
# ended nothing tells how long the rest takes.
_EARLY = "{desc}: {elapsed}{postfix}"
_TELLING = 2


class ProgressLine:
    """A line that is being shown (see `progress`)."""

    def __init__(self, bar: Any, layout: str | None) -> None:
        self._bar, self._layout = bar, layout
        self._lock, self._steps, self._compiling = Lock(), 0, 0
        self._drawn = self.looks() if bar is not None else ()

    def update(self, n: float = 1, text: str = "") -> None:
        """Count a step that did `n` units; `text` is shown behind."""
        if self._bar is None:
            return
        with self._lock:
            self._steps += 1
            self._bar.n += n
            self._bar.set_postfix_str(text, refresh=False)

    def compiles(self, event: Any) -> None:
        """Take note that numba begins or ends to compile one of Partita's kernels."""
        if str(event.data["dispatcher"].py_func.__module__).startswith("partita."):
            with self._lock:
                self._compiling += 1 if event.is_start else -1

    def looks(self) -> tuple[Any, ...]:
        """Lay the line out, and return what tells whether it looks as before."""
        bar = self._bar
        with self._lock:
            told = self._steps >= _TELLING or bar.n == bar.total
            bar.bar_format = self._layout if told else _EARLY
            bar.bar_format = _COMPILING if self._compiling else bar.bar_format
            # On a terminal the time goes on; elsewhere each redraw stays where it is.
            seconds = int(bar.format_dict["elapsed"]) if sys.stderr.isatty() else 0
            return bar.bar_format, bar.n, bar.postfix, seconds

    def draw(self) -> None:
        """Draw the line, where it looks other than before."""
        looks = self.looks()
        if looks != self._drawn:
            self._drawn = looks
            self._bar.refresh()


@contextmanager
def progress(
    name: str,
    total: float | None = None,
    *,
    unit: str = "it",
    layout: str | None = None,
    shown: bool,
) -> Iterator[ProgressLine]:
    """Show a line while the block runs; its last state stays.

    Parameters
    ----------
    name : str
        What runs.
    total : float, optional
        How many units it takes.
    unit : str
        What is counted.
    layout : str, optional
        The line as tqdm formats it, from the second step on; by default tqdm's own.
    shown : bool
        Whether there is a line at all.
    """
    if not shown:
        yield ProgressLine(None, layout)
        return
    from tqdm import tqdm  # for a line alone: it takes a while to import

    with tqdm(total=total, desc=name, unit=unit, bar_format=_EARLY) as bar:
        line = ProgressLine(bar, layout)
        with _listening(line), _redrawn(line):
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
def _redrawn(line: ProgressLine) -> Iterator[None]:
    over = Event()

    def redraw() -> None:
        while not over.wait(_SECONDS):
            line.draw()

    thread = Thread(target=redraw, name="partita progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        line.looks()  # as it is drawn when it is closed
