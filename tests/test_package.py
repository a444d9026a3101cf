"""The package opens lightly and changes nothing around it."""

from __future__ import annotations

import subprocess
import sys

import pytest

import partita

HEAVY = ("sklearn", "matplotlib", "nibabel", "pooch", "distributed", "numba", "h5netcdf", "zarr")


def run(code: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_importing_loads_nothing_heavy() -> None:
    code = f"import sys, partita; print([name for name in {HEAVY!r} if name in sys.modules])"
    assert run(code) == "[]"


def test_importing_changes_no_warning_filter() -> None:
    code = (
        "import warnings, numpy, xarray; before = list(warnings.filters); import partita; "
        "print(before == warnings.filters)"
    )
    assert run(code) == "True"


def test_every_public_name_is_there() -> None:
    for name in partita.__all__:
        assert getattr(partita, name) is not None
    for room in ("datasets", "decomposition", "io", "plotting", "preprocess"):
        module = getattr(partita, room)
        assert set(module.__all__) <= set(dir(module))
        for name in module.__all__:
            assert getattr(module, name) is not None


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'partita' has no attribute 'nothing'"):
        _ = partita.nothing
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = partita.decomposition.nothing


def test_the_version_is_a_version() -> None:
    assert partita.__version__[0].isdigit()
