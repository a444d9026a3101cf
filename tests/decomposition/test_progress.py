"""What a fit says on stderr while it runs, and to whom."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from time import perf_counter

import numpy as np
import pytest
import xarray as xr

from partita import NMF, PCA, FastICA, SemiNMF, _progress
from partita._solvers.matrices import partition
from partita.decomposition import out_of_core

MOST = 5  # lines where stderr is no terminal


class Terminal(io.StringIO):
    """A terminal as far as one is asked."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def recording() -> xr.DataArray:
    """Three parts and some noise, (time, y, x); large enough for starts on a sketch."""
    rng = np.random.default_rng(0)
    values = rng.gamma(0.5, 1.0, (300, 3)) @ rng.gamma(0.3, 1.0, (3, 1200))
    values += 0.1 * rng.random(values.shape)
    return xr.DataArray(values.reshape(300, 30, 40), dims=("time", "y", "x"))


@pytest.fixture
def every_phase_is_long(monkeypatch) -> None:
    monkeypatch.setattr(_progress, "_SECONDS", 0)


@pytest.fixture
def streamed(recording, monkeypatch) -> xr.DataArray:
    """The recording as one that is read part by part."""
    monkeypatch.setattr(out_of_core, "KEPT_BYTES", 0)
    monkeypatch.setattr(partition, "PART_BYTES", 200_000)
    return recording.chunk(time=50)


@pytest.fixture
def lines(capsys) -> Callable[[], list[str]]:
    """Give what returns the lines written so far, without times and what compiles."""

    def written() -> list[str]:
        said = capsys.readouterr().err
        assert "\r" not in said
        assert len(said.splitlines()) <= MOST
        timeless = [re.sub(r", \d\d:\d\d$", "", line) for line in said.splitlines()]
        return [line for line in timeless if "compiling" not in line]

    return written


def ending(model: NMF | SemiNMF) -> str:
    return f"iteration {model.n_iter_}, {certificate(model)}"


def certificate(model: NMF | SemiNMF) -> str:
    residual = np.linalg.norm(model.optimality_["residual"])
    return f"certificate: residual {residual:.1e}, tol {model.tol:.1e}"


def test_a_fit_says_its_phases_and_its_certificate(recording, every_phase_is_long, lines) -> None:
    nmf = NMF(3, random_state=0, verbose=1).fit(recording)
    assert lines() == ["NMF: starts", "NMF: sketch", f"NMF: {ending(nmf)}"]


@pytest.mark.parametrize("parameters", [{"loss": "kullback-leibler"}, {"n_starts": 20}])
def test_no_solver_says_more(recording, every_phase_is_long, lines, parameters) -> None:
    nmf = NMF(3, random_state=0, verbose=1, **parameters).fit(recording)
    assert lines()[-1] == f"NMF: {ending(nmf)}"


def test_a_streamed_fit_says_as_much(streamed, every_phase_is_long, lines) -> None:
    nmf = NMF(3, random_state=0, verbose=1).fit(streamed)
    assert lines() == ["NMF: starts", "NMF: sketch", f"NMF: {ending(nmf)}"]


def test_a_fit_with_signed_maps_says_as_much(recording, every_phase_is_long, lines) -> None:
    semi = SemiNMF(3, random_state=0, verbose=1).fit(recording - recording.mean("time"))
    assert lines() == ["SemiNMF: starts", f"SemiNMF: {ending(semi)}"]


@pytest.mark.parametrize(
    ("model", "phases"),
    [
        (PCA(3, verbose=1), ["means", "components", "3 components"]),
        (FastICA(2, random_state=0, verbose=1), ["means", "rotation", "iteration {}"]),
    ],
)
def test_linear_models_say_their_phases(
    recording, every_phase_is_long, lines, model, phases
) -> None:
    model.fit(recording)
    n_iter = getattr(model, "n_iter_", 0)
    name = type(model).__name__
    assert lines() == [f"{name}: {phase}".format(n_iter) for phase in phases]


def test_sessions_say_how_they_ended(recording, every_phase_is_long, lines) -> None:
    halves = [recording[:150], recording[150:]]
    nmf = NMF(3, random_state=0, verbose=1).fit_sessions(halves)
    passes = nmf.n_iter_ + 1
    said = f"NMF.fit_sessions: pass {passes} over 2 sessions, {certificate(nmf)}"
    assert lines()[-1] == said


def test_sessions_are_counted_in_words_on_a_terminal(recording, monkeypatch) -> None:
    said: list[str] = []
    say = _progress.ProgressLine.say
    monkeypatch.setattr(
        _progress.ProgressLine, "say", lambda line, words: (said.append(words), say(line, words))
    )
    NMF(3, random_state=0, tol=0.1).fit_sessions([recording[:150], recording[150:]])
    assert said[said.index("pass 1, starts, session 1 of 2") :][:5] == [
        "pass 1, starts, session 1 of 2",
        "pass 1, starts, session 2 of 2",
        "pass 2, sketch, session 1 of 2",
        "pass 2, sketch, session 2 of 2",
        "pass 2, iterations on the sketch",
    ]


def test_a_terminal_sees_one_line_redrawn_twice_a_second_at_most(recording, monkeypatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    began = perf_counter()
    nmf = NMF(3, random_state=0, verbose=1).fit(recording)
    redraws = sys.stderr.getvalue().split("\r")[1:]
    assert len(redraws) <= 2 * (perf_counter() - began) + 2
    assert ending(nmf) in redraws[-1]
    assert "500" not in "".join(redraws)
    assert redraws[-1].endswith("\n")


def test_an_iteration_shows_how_the_residual_nears_its_end(recording, monkeypatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(_progress.ProgressLine, "say", lambda line, words: said.append(words))
    NMF(3, random_state=0, verbose=1, init="random", n_starts=1).fit(recording)
    assert any(re.fullmatch(r"iteration \d+, residual \S+ -> 1\.0e-03", words) for words in said)


def test_a_fit_that_is_not_certified_says_its_iterations(streamed, lines) -> None:
    def interrupt(state: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        NMF(3, random_state=0, verbose=1).fit(streamed, callback=interrupt)
    assert lines() == ["NMF: iteration 1"]


def test_nothing_is_said_unasked(recording, capsys) -> None:
    NMF(3, random_state=0).fit(recording)
    assert capsys.readouterr().err == ""
