"""One row of the table is all that the house knows of a format."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from pkgutil import resolve_name
from types import ModuleType

import numpy as np
import pytest
import xarray as xr

import partita
from partita.io import formats
from partita.io.formats import FORMATS, named, recognise

PAGE = Path(__file__).parents[2] / "docs" / "develop" / "formats.md"
READER = "partita.io.movies.toy"


@pytest.fixture
def toy(monkeypatch):
    """Add the format that the developer guide adds, as it stands there."""
    reader, writer, row = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    module = ModuleType(READER)
    exec(compile(reader + writer, PAGE.name, "exec", dont_inherit=True), module.__dict__)
    monkeypatch.setitem(sys.modules, READER, module)
    added = eval(row, vars(formats).copy())
    monkeypatch.setattr(formats, "FORMATS", (*FORMATS, added))
    return added


@pytest.fixture
def recording(frames):
    return xr.DataArray(
        frames, dims=("time", "y", "x"), coords={"time": np.arange(12) / 4}, name="run"
    )


def test_a_format_of_the_developer_guide_is_saved_and_loaded(tmp_path, toy, recording):
    (path,) = partita.save(recording, tmp_path / "run.toy")
    again = partita.load(path, chunks=5)
    assert again.chunks[0] == (5, 5, 2)
    assert again.encoding["format"] == "toy movie"
    xr.testing.assert_equal(again, recording)


def test_its_files_are_known_by_what_is_in_them_and_joined_as_movies_are(tmp_path, toy, recording):
    first, second = (tmp_path / name for name in ("run1.toy", "run2"))
    partita.save(recording[:7], first)
    partita.save(recording[7:], tmp_path / "b.toy")
    (tmp_path / "b.toy").rename(second)
    assert recognise(second) is toy
    assert partita.io.name_format(second) == "toy movies"
    xr.testing.assert_equal(partita.load([first, second]), recording)


def test_messages_list_it(tmp_path, toy, recording):
    (tmp_path / "a.txt").write_text("none of them", encoding="utf-8")
    with pytest.raises(ValueError, match=r"load reads NIfTI, .*TSV, CSV and toy movies; "):
        partita.load(tmp_path / "a.txt")
    with pytest.raises(ValueError, match=r"must be \.nii, .*\.zarr, \.tsv, \.csv or \.toy;"):
        partita.save(recording, tmp_path / "a.mkv")
    partita.save(recording, tmp_path / "a.toy")
    with pytest.raises(ValueError, match="holds one movie, and dataset='b' chooses"):
        partita.load(tmp_path / "a.toy", dataset="b")


@pytest.mark.parametrize("row", FORMATS, ids=lambda row: row.name)
def test_what_a_row_names_is_there(row):
    if row.package is not None:
        pytest.importorskip(row.package.module)
    assert callable(resolve_name(row.read))
    assert not row.write or (callable(resolve_name(row.write)) and row.suffixes)
    assert row.is_movie or len(row.options) < 4


def test_names_and_suffixes_are_those_of_one_row():
    names = [row.name for row in FORMATS]
    suffixes = [suffix for row in FORMATS for suffix in row.suffixes]
    assert len(set(names)) == len(names)
    assert len(set(suffixes)) == len(suffixes)


@pytest.mark.parametrize("row", [row for row in FORMATS if row.package], ids=lambda row: row.name)
def test_a_missing_package_is_named_with_the_extra_that_installs_it(row, monkeypatch, naming):
    monkeypatch.setitem(sys.modules, row.package.module, None)
    words = rf'needs the package .*pip install "partita\[{row.package.extra}\]"'
    with pytest.raises(ModuleNotFoundError, match=naming(Path("a"), words)):
        row.reader(Path("a"))


def test_core_formats_need_nothing_more():
    assert named("nifti").package is None
    named("hdf5").require(Path("a.h5"))
