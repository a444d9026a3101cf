"""The package opens lightly and changes nothing around it."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import partita

ROOMS = ("datasets", "decomposition", "inference", "io", "plotting", "preprocess")
PACKAGES = ("partita", *(f"partita.{room}" for room in ROOMS))
HEAVY = ("sklearn", "matplotlib", "nibabel", "pooch", "distributed", "numba", "h5netcdf", "zarr")


def run(code: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True
    )
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
    for room in ROOMS:
        module = getattr(partita, room)
        assert set(module.__all__) <= set(dir(module))
        for name in module.__all__:
            assert getattr(module, name) is not None


def names_for_type_checkers(package: str) -> list[ast.alias]:
    """Return what the stub of a package imports."""
    stub = Path(str(importlib.import_module(package).__file__)).with_suffix(".pyi")
    imports = ast.parse(stub.read_text(encoding="utf-8")).body
    return [alias for node in imports if isinstance(node, ast.ImportFrom) for alias in node.names]


@pytest.mark.parametrize("package", PACKAGES)
def test_what_type_checkers_see_is_what_is_loaded_and_what_is_public(package) -> None:
    module = importlib.import_module(package)
    aliases = names_for_type_checkers(package)
    assert [alias.asname for alias in aliases] == [alias.name for alias in aliases]  # "x as x"
    names = {alias.name for alias in aliases}
    assert names == set(dir(module)) == set(module.__all__)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_name_that_is_not_there_is_an_attribute_error_that_names_the_package(package) -> None:
    with pytest.raises(AttributeError, match=f"{package}\\W.*nothing"):
        _ = importlib.import_module(package).nothing


def test_the_version_is_a_version() -> None:
    assert partita.__version__[0].isdigit()
