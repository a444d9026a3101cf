"""What commands write never stands where they read, nor where another program wrote."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import partita
from partita import _cli


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    """Run every command in a folder of its own."""
    monkeypatch.chdir(tmp_path)


def recording_of():
    values = np.random.default_rng(0).gamma(2.0, size=(30, 1, 6, 5)).astype(np.float32)
    coords = {"time": ("time", 0.5 * np.arange(30), {"units": "s"})}
    return xr.DataArray(values, dims=("time", "z", "y", "x"), coords=coords)


@pytest.fixture(params=["rec.nc", "rec.zarr", "rec.nii"])
def recording(request):
    """Write a recording; return its name."""
    if request.param == "rec.zarr":
        pytest.importorskip("zarr")
    partita.save(recording_of(), request.param)
    return request.param


def content():
    return {str(path): path.read_bytes() for path in sorted(Path().rglob("*")) if path.is_file()}


@pytest.mark.parametrize("force", [[], ["--force"]])
@pytest.mark.parametrize("way", ["itself", "./itself"])
def test_the_recording_that_is_read_is_never_replaced(recording, force, way, capsys):
    out = {"itself": recording, "./itself": f"./{recording}"}[way]
    before = content()
    assert _cli.main(["run", recording, "-k", "2", "--quiet", "--out", out, *force]) == 2
    said = capsys.readouterr().err
    assert "never replaced" in said or "names a folder, and rec.nii is a file" in said
    assert content() == before


def linked(recording):
    Path("soft" + Path(recording).suffix).symlink_to(recording)
    return "soft" + Path(recording).suffix


def linked_hard(recording):
    if Path(recording).is_dir():
        pytest.skip("folders have one name")
    os.link(recording, "hard" + Path(recording).suffix)
    return "hard" + Path(recording).suffix


def linked_folder(recording):
    Path("folder").symlink_to(Path().absolute(), target_is_directory=True)
    return f"folder/{recording}"


def by_way_of_above(recording):
    return f"../{Path().absolute().name}/{recording}"


def in_full(recording):
    return str(Path(recording).absolute())


def at_home(recording):
    return f"~/{recording}"


WAYS = [linked, linked_hard, linked_folder, by_way_of_above, in_full, at_home]


@pytest.mark.slow
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("command", ["run", "convert", "checkpoint"])
@pytest.mark.parametrize("way", WAYS)
def test_whatever_its_name_the_recording_that_is_read_is_never_replaced(
    recording, way, command, turned, capsys, tmp_path, monkeypatch
):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    if command == "convert" and recording != "rec.zarr":
        pytest.skip("converts to Zarr")
    before, names = content(), [recording, way(recording)]
    source, out = reversed(names) if turned else names
    words = {
        "run": ["run", source, "-k", "2", "--quiet", "--out", out, "--force"],
        "convert": ["convert", source, out, "--force", "--quiet"],
        "checkpoint": ["run", source, "-k", "2", "--quiet", "--out", "new.nc", "--checkpoint", out],
    }
    assert _cli.main(words[command]) == 2
    assert capsys.readouterr().err
    after = content()
    assert {name: after.get(name) for name in before} == before
    assert not Path("~").exists()


def test_results_at_home_are_all_there(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    partita.save(recording_of(), "rec.nii")
    command = ["run", "rec.nii", "-k", "2", "--quiet", "--out=~/mine", "--checkpoint=~/kept.nc"]
    assert _cli.main(command) == 0
    assert not Path("~").exists()
    found = {one.name for one in (tmp_path / "home" / "mine").iterdir()}
    assert {"rec_desc-nmf.nc", "rec_desc-nmf_components.png"} <= found


def test_a_checkpoint_is_never_where_the_results_go(capsys):
    partita.save(recording_of(), "rec.nc")
    command = ["run", "rec.nc", "-k", "2", "--quiet", "--out", "m.nc", "--checkpoint", "./m.nc"]
    assert _cli.main(command) == 2
    assert "m.nc" in capsys.readouterr().err
    assert not Path("m.nc").exists()


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".nc", "_mixing.tsv", "_map.png"])
def test_what_is_no_result_is_replaced_with_force_only(ending, capsys):
    partita.save(recording_of(), "rec.nii")
    name = f"mine/rec_desc-nmf{ending}"
    Path("mine").mkdir()
    Path(name).write_text("years of work", encoding="utf-8")
    before, command = content(), ["run", "rec.nii", "-k", "2", "--quiet", "--out", "mine"]
    assert _cli.main(command) == 2
    assert f"{name} was not written by Partita" in (said := capsys.readouterr().err)
    assert "replace it: --force" in said
    assert content() == before
    assert _cli.main([*command, "--force"]) == 0
    assert Path(name).read_bytes() != b"years of work"
    assert _cli.main(command) == 0  # over its own results


@pytest.mark.slow
def test_a_store_of_the_users_own_beside_the_results_stays():
    pytest.importorskip("zarr")
    partita.save(recording_of(), "rec.nc")
    partita.save(recording_of(), "out/rec_desc-nmf_intermediate.zarr")
    partita.save(recording_of(), "out_intermediate.zarr")
    before = {name: held for name, held in content().items() if "intermediate" in name}
    large = ["--memory-limit", "1k", "--chunks", "time=10"]
    assert _cli.main(["run", "rec.nc", "-k", "2", "--quiet", "--out", "out", *large]) == 0
    after = {name: held for name, held in content().items() if "intermediate" in name}
    assert after == before
    assert not list(Path().rglob(".unfinished*"))


@pytest.mark.parametrize("out", ["x.tif", "x.NPY", "x.mat"])
def test_the_suffix_of_another_format_is_no_folder(out, capsys):
    partita.save(recording_of(), "rec.nc")
    assert _cli.main(["run", "rec.nc", "-k", "2", "--quiet", "--out", out]) == 2
    assert f"given: {out}" in capsys.readouterr().err


@pytest.mark.parametrize("out", ["rec.zarr", "./rec.zarr", "rec.zarr/inner.zarr"])
def test_convert_never_replaces_what_it_reads(out, capsys):
    pytest.importorskip("zarr")
    partita.save(recording_of(), "rec.zarr")
    before = content()
    assert _cli.main(["convert", "rec.zarr", out, "--force", "--quiet"]) == 2
    assert "never replaced" in capsys.readouterr().err
    assert content() == before


def test_convert_replaces_a_model_with_force_only(capsys):
    pytest.importorskip("zarr")
    partita.save(recording_of(), "rec.nc")
    partita.save(partita.PCA(1).fit(recording_of()), "model.zarr")
    assert _cli.main(["convert", "rec.nc", "model.zarr", "--quiet"]) == 2
    assert "is there already" in capsys.readouterr().err
    assert _cli.main(["convert", "rec.nc", "model.zarr", "--quiet", "--force"]) == 0
    assert partita.load("model.zarr").sizes["time"] == 30
