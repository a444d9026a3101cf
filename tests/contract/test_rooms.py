"""Whoever looks for the tests of a solver finds them under its own name."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
SOLVERS = ROOT / "src" / "partita" / "_solvers"


def test_every_solver_has_tests_under_its_own_name():
    modules = {path.relative_to(SOLVERS) for path in SOLVERS.rglob("[a-z]*.py")}
    wanted = {path.with_name(f"test_{path.name}") for path in modules}
    tests = ROOT / "tests" / "_solvers"
    there = {path.relative_to(tests) for path in tests.rglob("test_*.py")}
    assert len(modules) > 50
    assert there == wanted
