"""The command line: the whole pipeline from a shell, and refusals in one line."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import partita
from partita import _cli
from partita._cli import words
from partita._cli.workplace import size
from partita._solvers.matrices import streamed
from partita.decomposition import checkpoints, out_of_core
from partita.io import save_recording, write_dataset

PNG = b"\x89PNG\r\n"


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    """Run every command in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def recording() -> Path:
    """Write a small recording of three parts; return its path."""
    rng = np.random.default_rng(0)
    signals, maps = rng.gamma(1.0, size=(60, 3)), rng.gamma(0.5, size=(3, 2 * 6 * 5))
    values = 100 + signals @ maps + 0.05 * rng.standard_normal((60, 60))
    array = xr.DataArray(
        values.reshape(60, 2, 6, 5).astype(np.float32),
        dims=("time", "z", "y", "x"),
        coords={
            "time": ("time", 0.5 * np.arange(60), {"units": "s"}),
            "z": ("z", [0.0, 0.4], {"units": "mm"}),
            "y": ("y", 0.1 * np.arange(6), {"units": "mm"}),
            "x": ("x", 0.2 * np.arange(5), {"units": "mm"}),
            "grid": ((), 0, {"affine": np.eye(4).ravel(), "qform_code": 1, "sform_code": 1}),
        },
        attrs={"units": "a.u.", "long_name": "Power Doppler"},
    )
    path = Path("sub-01_ses-1_pwd.nii.gz")
    save_recording(array, path)
    return path


def model_in(folder: str):
    """Return the model whose results lie in a folder."""
    (path,) = Path(folder).glob("*.nc")
    return partita.load_model(path)


def only_line(text: str) -> str:
    """Return the one line that a text must consist of."""
    (line,) = text.splitlines()
    return line


def test_run_writes_maps_signals_model_and_pictures_and_says_where(recording, capsys):
    assert _cli.main(["run", str(recording), "-k", "3"]) == 0
    folder, name = "derivatives/", "sub-01_ses-1_desc-nmf"
    said = capsys.readouterr().out
    assert said.count(folder) == 2  # of all results, and of the picture to look at
    for ending in (
        "_sign-positive_components.nii.gz",
        "_sign-negative_components.nii.gz",
        "_mixing.tsv",
        "_decomposition.json",
        "_components.png",
        "_map.png",
        ".nc",
    ):
        assert Path(f"{folder}{name}{ending}").is_file()
        assert f"  {name}{ending}  " in said
    assert "time 60, z 2, y 6, x 5" in said
    assert "3 parts, converged after" in said
    assert f"R² {100 * float(model_in(folder).explained_.r2):.1f} %" in said
    for kind in ("components", "map"):
        assert Path(f"{folder}{name}_{kind}.png").read_bytes().startswith(PNG)


def test_run_does_what_the_library_does(recording):
    _cli.main(["run", str(recording), "-k", "3", "--seed", "7", "--mode", "spatial", "--quiet"])
    model = partita.load_model("derivatives/sub-01_ses-1_desc-nmf.nc")
    signed = (
        partita.load(recording).pipe(partita.preprocess.zscore).pipe(partita.preprocess.split_sign)
    )
    expected = partita.NMF(n_components=3, mode="spatial", random_state=7).fit(signed)
    np.testing.assert_allclose(model.maps_, expected.maps_, rtol=1e-5, atol=1e-6)
    assert model.get_params()["mode"] == "spatial"


def test_no_split_factorises_the_values_as_they_are(recording):
    arguments = ["--no-split", "-k", "2", "--loss", "kullback-leibler", "--out", "raw.nc"]
    assert _cli.main(["run", str(recording), *arguments, "--quiet"]) == 0
    model = partita.load_model("raw.nc")
    assert "sign" not in model.maps_.dims
    assert model.signals_.attrs["units"] == "a.u."
    assert model.get_params()["loss"] == "kullback-leibler"
    assert [path.name for path in Path().glob("raw*")] == ["raw.nc"]


def test_loss_may_be_a_number(recording):
    arguments = ["-k", "2", "--loss", "1.5", "--out", "beta.nc", "--quiet"]
    assert _cli.main(["run", str(recording), *arguments]) == 0
    assert partita.load_model("beta.nc").get_params()["loss"] == 1.5


@pytest.mark.parametrize(
    ("out", "model"),
    [
        ("results/", "results/sub-01_ses-1_desc-nmf.nc"),
        ("there", "there/sub-01_ses-1_desc-nmf.nc"),
        ("results/first", "results/first/sub-01_ses-1_desc-nmf.nc"),
        ("results/only.nc", "results/only.nc"),
    ],
)
def test_out_names_a_folder_or_one_file(recording, out, model):
    Path("there").mkdir()
    assert _cli.main(["run", str(recording), "-k", "2", "--quiet", "--out", out]) == 0
    assert Path(model).is_file()


def test_a_recording_in_netcdf_without_space_runs_too(capsys):
    rng = np.random.default_rng(0)
    neurons = xr.DataArray(rng.gamma(1.0, size=(50, 12)), dims=("time", "neuron"), name="rate")
    save_recording(neurons, "rates.nc")
    assert _cli.main(["run", "rates.nc", "-k", "2", "--no-split"]) == 0
    assert Path("derivatives/rates_desc-nmf_components.tsv").is_file()
    assert Path("derivatives/rates_desc-nmf_components.png").is_file()
    assert not Path("derivatives/rates_desc-nmf_map.png").exists()


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (("-k", "0"), "-k must be a whole number"),
        (("--loss", "foo"), "loss is one of"),
        (("--loss", "3"), "loss is one of"),
    ],
)
def test_parameters_without_meaning_are_refused_before_anything_is_read(option, words, capsys):
    assert _cli.main(["run", "not_there.nii.gz", *option]) == 2
    assert words in only_line(capsys.readouterr().err)


def test_quiet_says_nothing(recording, capsys):
    assert _cli.main(["run", str(recording), "-k", "2", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_progress_is_shown_on_stderr(recording, capsys):
    assert _cli.main(["run", str(recording), "-k", "2"]) == 0
    assert "NMF" in capsys.readouterr().err


def test_demo_needs_nothing_but_itself(capsys):
    assert _cli.main(["demo", "--out", "shown"]) == 0
    said = capsys.readouterr().out
    (model,) = Path("shown").glob("*.nc")
    assert partita.load_model(model).maps_.sizes["component"] == 10
    assert len(list(Path("shown").glob("*.png"))) == 2
    assert len(list(Path("shown").glob("*_mixing.tsv"))) == 1
    assert all(path.name in said for path in Path("shown").iterdir())
    assert " s. The results, in shown/" in said
    (picture,) = Path("shown").glob("*_components.png")
    assert said.splitlines()[-1] == f"Look at {picture}"


@pytest.mark.slow
def test_demo_has_a_folder_of_its_own():
    assert _cli.main(["demo", "--quiet"]) == 0
    assert list(Path("partita-demo").glob("*.nc"))


def test_demo_refuses_a_file_as_its_folder(recording, capsys):
    assert _cli.main(["demo", "--out", str(recording)]) == 2
    assert "--out names a folder" in only_line(capsys.readouterr().err)


def test_info_says_what_a_recording_holds(recording, capsys):
    assert _cli.main(["info", str(recording)]) == 0
    said = capsys.readouterr().out
    for expected in (
        "NIfTI, compressed with sidecar sub-01_ses-1_pwd.json",
        "time 60, z 2, y 6, x 5",
        "as float32",
        "0 to 29.5 s, step 0.5",
        "0 to 0.8 mm, step 0.2",
        "affine 1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1, qform_code 1",
    ):
        assert expected in said


def test_info_says_when_times_are_uneven_and_dimensions_are_bare(capsys):
    times = np.array([0.0, 1.0, 2.0, 4.0])
    array = xr.DataArray(
        np.zeros((4, 3, 1)),
        dims=("time", "neuron", "plane"),
        coords={
            "time": ("time", times, {"units": "s"}),
            "plane": [0.5],
            "area": ("neuron", ["V1", "S1", "M1"]),
        },
        attrs={"note": "one two " * 50},
    )
    save_recording(array, "rates.nc")
    assert _cli.main(["info", "rates.nc"]) == 0
    said = capsys.readouterr().out
    assert "0 to 4 s, step 1 in the median, uneven" in said
    assert "3, without coordinate" in said
    assert "V1 S1 M1" in said
    assert max(len(line) for line in said.splitlines()) < 100


def test_info_says_what_format_is_in_a_file_whatever_its_name(recording, capsys):
    np.save("movie.tif.npy", np.zeros((6, 4, 3), np.uint8))
    Path("movie.tif.npy").rename("movie.nii")
    arguments = ["--frame-rate", "30", "--pixel-size", "0.002", "0.004"]
    assert _cli.main(["info", "movie.nii", *arguments]) == 0
    said = capsys.readouterr().out
    for expected in (
        "NumPy .npy",
        "time 6, y 4, x 3",
        "0 to 0.166667 s, step 0.0333333",
        "0 to 0.008 mm, step 0.004",
        "as uint8",
    ):
        assert expected in said


def test_info_lists_what_a_file_holds_and_shows_what_is_chosen(capsys):
    np.savez("session.npz", raw=np.zeros((6, 4, 3)), traces=np.zeros((6, 2, 3), np.float32))
    assert _cli.main(["info", "session.npz"]) == 0
    said = capsys.readouterr().out
    for expected in ("NumPy .npz", "2 arrays; choose one with --dataset NAME"):
        assert expected in said
    assert [line.split(maxsplit=1) for line in said.splitlines()[-2:]] == [
        ["raw", "6 x 4 x 3, float64"],
        ["traces", "6 x 2 x 3, float32"],
    ]
    arguments = ["--dataset", "traces", "--dims", "time,neuron,plane", "--frame-rate", "2"]
    assert _cli.main(["info", "session.npz", *arguments]) == 0
    assert "time 6, neuron 2, plane 3" in capsys.readouterr().out


def test_messages_name_the_options_of_the_shell(capsys):
    np.savez("two.npz", **{"raw": np.zeros((6, 4, 3)), "the other": np.zeros((6, 2, 3))})
    assert _cli.main(["run", "two.npz"]) == 2
    assert "Choose one by its name: --dataset raw." in capsys.readouterr().err
    np.save("movie.npy", np.random.default_rng(0).gamma(2, 10, (40, 6, 5)))
    assert _cli.main(["run", "movie.npy", "-k", "2", "--quiet"]) == 0
    said = capsys.readouterr().err
    assert "Give it in Hz: --frame-rate 30." in said
    assert "partita.load(" not in said


def test_a_name_with_a_space_is_quoted_for_the_shell():
    text = words.in_a_shell("Choose one: partita.load(path, dataset='my data'), or write it anew.")
    assert text == "Choose one: --dataset 'my data', or write it anew."


def test_info_says_what_else_is_in_the_file_and_which_axes_it_fits(capsys):
    np.savez("session.npz", movie=np.zeros((6, 4, 3)), speed=np.zeros(6))
    assert _cli.main(["info", "session.npz"]) == 0
    said = capsys.readouterr()
    assert "speed (6, float64), as long as time" in said.out
    assert "taken as time, y, x; say --dims y,x,time if they are others" in said.err


def test_info_lists_the_variables_of_netcdf(capsys):
    both = xr.Dataset({"a": ("time", np.zeros(5)), "b": ("time", np.zeros(5))})
    write_dataset(both, "both.nc")
    assert _cli.main(["info", "both.nc"]) == 0
    assert "NetCDF" in (said := capsys.readouterr().out)
    assert "5, float64" in said
    assert _cli.main(["info", "both.nc", "--dataset", "a"]) == 0


def test_a_bare_movie_runs_from_the_shell(capsys):
    values = np.random.default_rng(0).gamma(2, 10, (40, 6, 5))
    np.save("movie.npy", values.transpose(1, 2, 0))
    arguments = ["--dims", "y,x,time", "--frame-rate", "10", "--pixel-size", "0.1", "-k", "2"]
    assert _cli.main(["run", "movie.npy", *arguments, "--quiet", "--out", "out.nc"]) == 0
    model = partita.load_model("out.nc")
    assert model.signals_.sizes["time"] == 40
    np.testing.assert_allclose(model.maps_.x, 0.1 * np.arange(5))


def test_a_missing_file_is_one_line_and_code_2(capsys):
    assert _cli.main(["run", "nowhere.nii.gz"]) == 2
    said = capsys.readouterr()
    assert only_line(said.err).startswith("partita: error: ")
    assert "nowhere.nii.gz" in said.err
    assert said.out == ""


def test_a_refusal_of_the_library_is_one_line_and_code_2(recording, capsys):
    assert _cli.main(["run", str(recording), "-k", "0", "--quiet"]) == 2
    assert "-k must be" in only_line(capsys.readouterr().err)


def test_negative_values_without_split_are_refused_with_the_remedy(capsys):
    array = xr.DataArray(-np.ones((5, 4)), dims=("time", "neuron"))
    save_recording(array, "negative.nc")
    assert _cli.main(["run", "negative.nc", "-k", "2", "--no-split", "--quiet"]) == 2
    said = only_line(capsys.readouterr().err)
    assert "NMF needs non-negative data" in said
    assert said.endswith("Leave out --no-split.")


def test_debug_shows_the_traceback():
    with pytest.raises(FileNotFoundError, match="nowhere"):
        _cli.main(["info", "nowhere.nc", "--debug"])


@pytest.mark.parametrize(
    "words",
    [["run"], ["run", "a.nii", "--mode", "sideways"], ["dance"], ["run", "a.nii", "-k", "x"]],
)
def test_misspelt_commands_are_one_line_and_code_2(words, capsys):
    with pytest.raises(SystemExit, match="2"):
        _cli.main(words)
    assert "--help" in only_line(capsys.readouterr().err)


def test_ctrl_c_ends_with_130(monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(words, "facts_of", interrupted)
    save_recording(xr.DataArray(np.ones((3, 2)), dims=("time", "neuron")), "rates.nc")
    assert _cli.main(["info", "rates.nc"]) == 130
    assert only_line(capsys.readouterr().err) == "partita: interrupted"


def test_warnings_are_one_line_each(capsys):
    values = np.random.default_rng(0).random((30, 4))
    values[:, 2] = 5
    save_recording(xr.DataArray(values, dims=("time", "neuron")), "rates.nc")
    assert _cli.main(["run", "rates.nc", "-k", "2", "--quiet", "--out", "out.nc"]) == 0
    line = only_line(capsys.readouterr().err)
    assert line.startswith("partita: warning: zscore: 1 of 4 voxels")


def test_filters_of_warnings_are_put_back(recording):
    before = (list(warnings.filters), warnings.showwarning)
    _cli.main(["info", str(recording)])
    assert (list(warnings.filters), warnings.showwarning) == before


def test_without_a_command_the_help_is_shown(capsys):
    assert _cli.main([]) == 0
    assert "demo" in capsys.readouterr().out


def test_the_version_is_said_without_loading_anything_heavy():
    script = (
        "import sys\nfrom partita._cli import main\n"
        "try:\n    main(['--version'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'xarray', 'sklearn', 'matplotlib', 'dask'} & set(sys.modules)\n"
        "print(sorted(heavy))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, encoding="utf-8", check=True
    )
    assert ran.stdout.splitlines() == [f"partita {partita.__version__}", "[]"]


@pytest.mark.parametrize("suffix", ["nii.gz", "nc", "zarr", "npy"])
def test_info_reads_headers_without_dask_and_without_values(suffix):
    if suffix == "zarr":
        pytest.importorskip("zarr")
    if suffix == "npy":
        np.save("it.npy", np.zeros((6, 4, 3)))
    else:
        save_recording(xr.DataArray(np.zeros((6, 1, 4, 3)), dims=("time", *"zyx")), f"it.{suffix}")
    script = (
        "import sys\nfrom partita._cli import main\n"
        f"sys.argv = ['partita', 'info', 'it.{suffix}']\n"
        "ended = main()\n"
        "print(ended, [name for name in ('dask', 'numba') if sys.modules.get(name)])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, encoding="utf-8", check=True
    )
    assert "time 6" in ran.stdout
    assert ran.stdout.splitlines()[-1] == "0 []"


def test_info_may_be_cut_short_by_who_reads_it(recording):
    script = "import sys\nfrom partita._cli import main\nsys.exit(main())"
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as closed:
        ran = subprocess.run(
            [sys.executable, "-c", script, "info", str(recording)],
            check=False,
            stdout=closed,
            stderr=subprocess.PIPE,
        )
    assert (ran.returncode, ran.stderr) == (0, b"")


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "k"), [("fmri/pymvpa_bold.nii.gz", 8), ("fmri/nitime_fmri1.nii.gz", 3)]
)
def test_real_recordings_run_from_the_shell(real_data, name, k, capsys):
    assert _cli.main(["info", str(real_data / name)]) == 0
    arguments = ["-k", str(k), "--out", "real", "--quiet"]
    assert _cli.main(["run", str(real_data / name), *arguments]) == 0
    model = model_in("real")
    assert float(model.signals_.min()) >= 0
    assert np.isfinite(model.energy_).all()
    assert "did not converge" not in capsys.readouterr().err


LARGE = ["--memory-limit", "1k", "--chunks", "time=40"]


@pytest.mark.slow
def test_a_large_recording_is_standardised_once_on_disk_and_tidied_up(recording, monkeypatch):
    saved = []
    save = partita.save
    monkeypatch.setattr(
        partita, "save", lambda thing, path, **how: saved.append(path) or save(thing, path, **how)
    )
    assert _cli.main(["run", str(recording), "-k", "3", "--out", "eager"]) == 0
    assert _cli.main(["run", str(recording), "-k", "3", "--out", "large", *LARGE]) == 0
    assert [path for path in saved if "intermediate" in path.name]
    assert not list(Path.cwd().rglob("*intermediate*"))
    eager, large = (model_in(name) for name in ("eager", "large"))
    np.testing.assert_allclose(large.maps_, eager.maps_, atol=1e-3)


class Fitted:
    """The recordings that NMF was given, and how many passes over them were streamed."""

    def __init__(self):
        self.given, self.passes = [], 0


@pytest.fixture
def fitted(monkeypatch):
    """Let fits stream whatever the size; return what is seen of them."""
    monkeypatch.setattr(out_of_core, "KEPT_BYTES", 0)
    seen, fit, run = Fitted(), partita.NMF.fit, streamed.Stream.run

    def watched(self, recording, **options):
        seen.given.append(recording)
        return fit(self, recording, **options)

    def counted(self, *arguments, **options):
        seen.passes += 1
        return run(self, *arguments, **options)

    monkeypatch.setattr(partita.NMF, "fit", watched)
    monkeypatch.setattr(streamed.Stream, "run", counted)
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("chunks", ["time=40", "y=2,x=3"])
@pytest.mark.parametrize("words", [[], ["--no-intermediate"], ["--no-split"]])
def test_a_large_recording_is_streamed_in_the_chunks_asked_for(
    recording, fitted, monkeypatch, words, chunks
):
    saved = []
    save = partita.save
    monkeypatch.setattr(
        partita, "save", lambda thing, path, **how: saved.append(path) or save(thing, path, **how)
    )
    arguments = ["-k", "2", "--memory-limit", "1k", "--chunks", chunks, "--out", "large", *words]
    assert _cli.main(["run", str(recording), *arguments, "--quiet"]) == 0
    assert model_in("large").fit_report_["passes"] == fitted.passes > 0
    (given,) = fitted.given
    asked = dict(part.split("=") for part in chunks.split(","))
    assert {dim: given.chunksizes[dim][0] for dim in asked} == {d: int(n) for d, n in asked.items()}
    assert bool([path for path in saved if "intermediate" in path.name]) is (not words)


def test_a_checkpoint_is_gone_when_the_fit_has_ended(recording, tmp_path):
    assert (
        _cli.main(["run", str(recording), "-k", "2", "--checkpoint", str(tmp_path / "fit.nc")]) == 0
    )
    assert not (tmp_path / "fit.nc").exists()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--chunks", "time"], "chunks are given as"),
        (["--memory-limit", "much"], "sizes are given as"),
    ],
)
def test_bad_sizes_and_chunks_are_one_line(recording, words, complaint, capsys):
    with pytest.raises(SystemExit) as end:
        _cli.main(["run", str(recording), *words])
    assert end.value.code == 2
    assert complaint in capsys.readouterr().err


def test_sizes_are_read_with_their_units():
    read = [size(text) for text in ("2048", "1k", "1.5M", "2GiB", "1TB")]
    assert read == [2048, 1024, 3 << 19, 2 << 30, 1 << 40]


@pytest.mark.xdist_group("alone")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("words", [[], ["--no-intermediate"]])
@pytest.mark.slow
def test_run_works_on_a_cluster(recording, fitted, words):
    distributed = pytest.importorskip("distributed")
    arguments = ["-k", "2", "--chunks", "time=20", "--quiet"]
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0"
    ) as cluster:
        there = ["--scheduler", cluster.scheduler_address, "--out", "there", *words]
        assert _cli.main(["run", str(recording), *arguments, *there]) == 0
        assert "take_step" in cluster.scheduler.task_prefixes
    here = ["--memory-limit", "1k", "--out", "here", *words]
    assert _cli.main(["run", str(recording), *arguments, *here]) == 0
    there, here = (model_in(name) for name in ("there", "here"))
    assert [given.chunksizes["time"] for given in fitted.given] == [(20, 20, 20)] * 2
    assert fitted.passes == there.fit_report_["passes"] + here.fit_report_["passes"]
    np.testing.assert_allclose(there.maps_, here.maps_, atol=1e-3)


KILLED = """
import os, sys
from partita import _cli
from partita.decomposition import out_of_core, checkpoints
out_of_core.KEPT_BYTES, checkpoints._EVERY, checkpoints._SHARE = 0, 0.0, float("inf")
keep = checkpoints.Checkpoint.keep
def keep_and_die(self, saved):
    keep(self, saved)
    if len(saved.kept.losses) == 2:
        os._exit(9)  # without any tidying up
checkpoints.Checkpoint.keep = keep_and_die
_cli.main(sys.argv[1:])
"""


@pytest.mark.parametrize("words", [[], ["--no-intermediate"]])
@pytest.mark.slow
def test_the_same_command_goes_on_where_it_was_killed(recording, fitted, monkeypatch, words):
    command = ["run", str(recording), "-k", "3", "--seed", "1", *LARGE, *words, "--quiet"]
    kept = [*command, "--out", "killed", "--checkpoint", "fit.nc"]
    died = subprocess.run([sys.executable, "-c", KILLED, *kept], check=False)
    assert died.returncode == 9
    assert Path("fit.nc").exists()
    assert not list(Path("killed").glob("*.nc"))
    recalled, recall = [], checkpoints.Checkpoint.recall
    monkeypatch.setattr(
        checkpoints.Checkpoint, "recall", lambda self: recalled.append(recall(self)) or recalled[-1]
    )
    assert _cli.main(kept) == 0
    assert [len(saved.kept.losses) for saved in recalled] == [2]
    assert not Path("fit.nc").exists()
    assert not list(Path.cwd().rglob("*intermediate*"))
    assert _cli.main([*command, "--out", "whole"]) == 0
    resumed, whole = (model_in(name) for name in ("killed", "whole"))
    assert resumed.fit_report_["passes"] < whole.fit_report_["passes"]
    assert resumed.n_iter_ == whole.n_iter_
    np.testing.assert_allclose(resumed.maps_, whole.maps_, atol=1e-6)
