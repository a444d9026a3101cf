"""What is done to recordings before the fit, and several of them at once."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import partita
from partita import _cli
from partita import preprocess as pp


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    """Run every command in a folder of its own."""
    monkeypatch.chdir(tmp_path)


def a_run(seed, name):
    """Write a run of 60 volumes in which part 1 plays during two blocks; return its path."""
    rng = np.random.default_rng(seed)
    times = 2.0 * np.arange(60)
    block = ((times >= 20) & (times < 40)) | ((times >= 80) & (times < 100))
    signals = np.column_stack([rng.gamma(1.0, size=60), block, rng.gamma(1.0, size=60)])
    maps = np.repeat(np.repeat(np.eye(3), 4, axis=1), 10, axis=1)  # four rows of pixels each
    values = (signals @ maps + 0.05 * rng.standard_normal((60, 120))).reshape(60, 1, 12, 10)
    inside = np.zeros((12, 10))
    inside[2:10, 2:8] = 1
    recording = xr.DataArray(
        ((100 + 10 * values) * inside + 1 + 0.2 * times[:, None, None, None]).astype(np.float32),
        dims=("time", "z", "y", "x"),
        coords={
            "time": ("time", times, {"units": "s"}),
            "y": ("y", np.arange(12.0), {"units": "mm"}),
            "x": ("x", np.arange(10.0), {"units": "mm"}),
        },
    )
    partita.save(recording, name)
    return name


def events_of(name, rows=((20, 20, "house"), (80, 20, "house"), (50, 10, "face"))):
    text = "\n".join("\t".join(map(str, row)) for row in rows)
    Path(name).write_text(f"onset\tduration\ttrial_type\n{text}\n", encoding="utf-8")
    return name


@pytest.fixture
def runs():
    return [a_run(seed, f"sub-1_task-look_run-{seed}_bold.nii.gz") for seed in (1, 2)]


@pytest.fixture
def events():
    return [events_of(f"sub-1_task-look_run-{seed}_events.tsv") for seed in (1, 2)]


def only_line(text):
    (line,) = text.splitlines()
    return line


def the_model(folder="derivatives"):
    (path,) = Path(folder).glob("*.nc")
    return partita.load_model(path)


def test_the_steps_are_those_of_the_library_in_its_order(runs):
    steps = ["--mask", "auto", "--detrend", "--zscore"]
    assert _cli.main(["run", runs[0], *steps, "-k", "2", "--quiet"]) == 0
    recording = partita.load(runs[0])
    brain = pp.brain_mask(recording)
    signed = recording.pipe(pp.detrend).where(brain).pipe(pp.zscore).pipe(pp.split_sign)
    expected = partita.NMF(2, random_state=0).fit(signed)
    model = the_model()
    np.testing.assert_allclose(model.maps_, expected.maps_, atol=1e-5)
    assert np.isnan(model.maps_.isel(component=0, sign=0, z=0, y=0, x=0))
    said = [line.partition("(")[0] for line in model.signals_.attrs["history"].splitlines()]
    assert [name for name in said if name in ("detrend", "zscore", "split_sign")] == [
        "detrend",
        "zscore",
        "split_sign",
    ]


@pytest.mark.slow
def test_a_calcium_movie_runs_as_change_over_its_baseline():
    traces = partita.datasets.simulate_traces(n_neurons=6, n_times=600, random_state=0)
    partita.save(traces.recording, "cells.nc")
    arguments = ["--baseline", "maximin", "--window", "20", "-k", "2", "--quiet"]
    assert _cli.main(["run", "cells.nc", *arguments, "--out", "cells"]) == 0
    model = the_model("cells")
    assert "sign" not in model.maps_.dims
    assert "delta_f_over_f(baseline='maximin', window=20" in model.signals_.attrs["history"]


@pytest.mark.slow
def test_motion_is_taken_out_first():
    moving = partita.datasets.simulate_fusi(
        n_times=30, shape=(1, 48, 40), motion=0.03, random_state=0
    ).recording
    partita.save(moving, "moving.nc")
    assert _cli.main(["run", "moving.nc", "--register", "-k", "2", "--quiet"]) == 0
    assert "motion_x" in the_model().signals_.coords


def test_a_mask_may_be_an_image(runs):
    image = (partita.load(runs[0]).isel(time=0) > 60).astype(np.uint8)
    partita.save(image, "mask.nii.gz")
    assert _cli.main(["run", runs[0], "--mask", "mask.nii.gz", "-k", "2", "--quiet"]) == 0
    inside = np.isfinite(the_model().maps_.isel(component=0, sign=0))
    np.testing.assert_array_equal(inside.values, image.values > 0)


def test_a_mask_on_another_grid_is_refused(runs, capsys):
    image = (partita.load(runs[0]).isel(time=0) > 60).astype(np.uint8)
    partita.save(image.isel(y=slice(4)), "mask.nii.gz")
    assert _cli.main(["run", runs[0], "--mask", "mask.nii.gz", "--quiet"]) == 2
    assert "mask" in only_line(capsys.readouterr().err)


def test_runs_share_their_maps_and_each_is_prepared_by_itself(runs, events, capsys):
    arguments = ["--events", *events, "--mask", "auto", "--detrend", "--zscore", "-k", "4"]
    assert _cli.main(["run", *runs, *arguments]) == 0
    model = the_model()
    assert Path("derivatives/sub-1_task-look_desc-nmf.nc").is_file()
    assert model.signals_.sizes["time"] == 120
    names = ["sub-1_task-look_run-1", "sub-1_task-look_run-2"]
    assert list(dict.fromkeys(model.signals_.session.values)) == names
    about = json.loads(Path("derivatives/sub-1_task-look_desc-nmf_decomposition.json").read_text())
    house = about["Events"]["house"]
    assert house["Correlation"] > 0.8
    assert house["Lag"] < 2
    said = capsys.readouterr().out
    component, r = house["Component"], house["Correlation"]
    assert f"house  followed best by component {component}: r {r:.2f}" in said


@pytest.mark.slow
def test_large_runs_are_prepared_on_disk(runs):
    assert _cli.main(["run", *runs, "-k", "2", "--quiet", "--out", "here"]) == 0
    large = ["--memory-limit", "1k", "--chunks", "time=20", "--out", "large"]
    assert _cli.main(["run", *runs, "-k", "2", "--quiet", *large]) == 0
    np.testing.assert_allclose(the_model("large").maps_, the_model("here").maps_, atol=1e-3)
    assert not list(Path.cwd().rglob("*intermediate*"))


@pytest.mark.slow
def test_events_are_drawn_and_named(runs, events, monkeypatch):
    from partita import plotting

    drawn, draw = [], plotting.plot_components
    monkeypatch.setattr(
        plotting, "plot_components", lambda *a, **how: drawn.append(how) or draw(*a, **how)
    )
    command = ["run", runs[0], "--events", events[0], "-k", "18", "--max-iter", "3"]
    assert _cli.main([*command, "--quiet"]) == 0
    assert [how["page"] for how in drawn] == [1, 2]
    assert drawn[0]["events"].trial_type.values.tolist() == ["house", "house", "face"]
    pages = sorted(path.name for path in Path("derivatives").glob("*components.png"))
    assert pages == [
        "sub-1_task-look_run-1_desc-nmf_components.png",
        "sub-1_task-look_run-1_desc-nmf_page-2_components.png",
    ]


@pytest.mark.slow
def test_pages_of_an_earlier_run_do_not_stay_unless_another_program_drew_them(runs):
    prefix = "derivatives/sub-1_task-look_run-1_desc-nmf"
    command = ["run", runs[0], "--max-iter", "3", "--quiet"]
    assert _cli.main([*command, "-k", "33"]) == 0
    Path(f"{prefix}_page-3_components.png").write_bytes(b"of another program")
    assert _cli.main([*command, "-k", "2"]) == 0
    left = sorted(path.name for path in Path("derivatives").glob("*components.png"))
    assert [name.removeprefix("sub-1_task-look_run-1_desc-nmf_") for name in left] == [
        "components.png",
        "page-3_components.png",
    ]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--events", "e1.tsv", "e2.tsv"], "--events names 2 tables for 1 recording. Give one"),
        (["--events", "missing.tsv"], "missing.tsv"),
        (["--events", "late.tsv"], "--events: 1 of 1 events lie outside the recording"),
        (["--window", "5"], "give --baseline too"),
        (["--baseline", "minimum", "--window", "900"], "Shorten it: --window."),
        (["--mask", "missing.nii.gz"], "missing.nii.gz"),
        (["--out", "e1.tsv"], "--out names a folder, and e1.tsv is a file"),
        (["--tol", "-1"], "--tol"),
        (["--max-iter", "0"], "--max-iter is a whole number"),
    ],
)
def test_what_cannot_be_done_is_one_line_in_the_words_of_the_shell(runs, words, complaint, capsys):
    events_of("e1.tsv"), events_of("e2.tsv"), events_of("late.tsv", [(900, 5, "house")])
    assert _cli.main(["run", runs[0], *words, "-k", "2", "--quiet"]) == 2
    assert complaint in only_line(capsys.readouterr().err)


def test_events_outside_a_recording_are_refused_before_the_fit(runs, monkeypatch, capsys):
    monkeypatch.setattr(partita.NMF, "fit", lambda *_, **__: pytest.fail("fitted"))
    events_of("late.tsv", [(900, 5, "house")])
    assert _cli.main(["run", runs[0], "--events", "late.tsv", "--quiet"]) == 2
    assert "1 of 1 events lie outside" in only_line(capsys.readouterr().err)


def test_events_of_which_some_lie_outside_are_told_once(runs, capsys):
    table = events_of("some.tsv", [(20, 20, "house"), (900, 5, "house")])
    assert _cli.main(["run", runs[0], "--events", table, "-k", "2", "--quiet"]) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "outside" in line]
    assert "--events: 1 of 2 events lie outside the recording" in only_line("\n".join(said))


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--max-itr", "3"], "unknown option --max-itr; did you mean --max-iter?"),
        (["--wobble"], "unknown option --wobble"),
        (["-k", "3", "another.nii.gz"], "another.nii.gz stands after options"),
        (["--zscore", "--no-split"], "not allowed with"),
        (["--baseline", "lowest"], "invalid choice: 'lowest'"),
    ],
)
def test_words_that_no_option_takes_are_named(words, complaint, capsys):
    with pytest.raises(SystemExit, match="2"):
        _cli.main(["run", "some.nii.gz", *words])
    assert complaint in only_line(capsys.readouterr().err)


def test_a_recording_given_twice_is_refused(runs, capsys):
    assert _cli.main(["run", runs[0], runs[0], "--quiet"]) == 2
    assert "is given twice" in only_line(capsys.readouterr().err)


def test_a_checkpoint_is_for_one_recording(runs, capsys):
    assert _cli.main(["run", *runs, "--checkpoint", "fit.nc", "--quiet"]) == 2
    assert "--checkpoint keeps the fit of one recording" in only_line(capsys.readouterr().err)


def test_register_writes_a_still_recording(capsys):
    moving = partita.datasets.simulate_fusi(
        n_times=30, shape=(1, 48, 40), motion=0.03, random_state=0
    ).recording
    partita.save(moving, "moving.nc")
    assert _cli.main(["register", "moving.nc", "still.nc"]) == 0
    said = capsys.readouterr().out
    assert "0 of 30 frames are suspect" in said
    assert said.rstrip().endswith(": still.nc")
    np.testing.assert_allclose(partita.load("still.nc"), pp.register(moving), rtol=1e-5)
    assert _cli.main(["register", "moving.nc", "still.nc", "--quiet"]) == 2
    assert "Replace it with --force" in capsys.readouterr().err
    assert _cli.main(["register", "moving.nc", "moving.nc", "--force", "--quiet"]) == 2
    assert "never replaced" in capsys.readouterr().err


def test_register_refuses_a_place_that_holds_no_recording_before_it_works(capsys):
    assert _cli.main(["register", "moving.nc", "still.tif", "--quiet"]) == 2
    assert "The suffix of still.tif" in only_line(capsys.readouterr().err)


def test_help_is_in_groups_and_has_examples(capsys):
    with pytest.raises(SystemExit, match="0"):
        _cli.main(["run", "--help"])
    said = capsys.readouterr().out
    for group in ("reading:", "before the fit, in this order:", "the fit:", "results:"):
        assert f"\n{group}\n" in said
    assert "examples:\n  partita run recording.nii.gz -k 10" in said


@pytest.mark.realdata
@pytest.mark.slow
def test_the_houses_that_haxby_showed_have_a_component_of_their_own(real_data, capsys):
    whole = partita.load(real_data / "fmri/pymvpa_bold.nii.gz")
    labels = (real_data / "fmri/pymvpa_attributes_literal.txt").read_text().split()[::2]
    runs, tables = [], []
    for number in range(12):
        part = whole[121 * number : 121 * (number + 1)]
        runs.append(f"sub-1_run-{number + 1:02d}_bold.nii.gz")
        partita.save(part.assign_coords(time=part.time - part.time[0]), runs[-1])
        mine = ["rest", *labels[121 * number : 121 * (number + 1)], "rest"]
        edges = [at for at in range(1, 123) if mine[at] != mine[at - 1]]
        rows = [
            (2.5 * (start - 1), 2.5 * (end - start), mine[start])
            for start, end in pairwise(edges)
            if mine[start] != "rest"
        ]
        tables.append(events_of(f"run-{number + 1:02d}_events.tsv", rows))
    steps = ["--mask", "auto", "--detrend", "--zscore", "-k", "20"]
    assert _cli.main(["run", *runs, "--events", *tables, *steps, "--out", "haxby"]) == 0
    about = json.loads(Path("haxby/sub-1_desc-nmf_decomposition.json").read_text())
    house = about["Events"]["house"]
    assert house["Correlation"] >= 0.6
    assert f"followed best by component {house['Component']}:" in capsys.readouterr().out
