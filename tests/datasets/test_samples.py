from __future__ import annotations

import hashlib
import importlib.util
import tomllib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import xarray as xr
from scipy.optimize import linear_sum_assignment
from sklearn.decomposition import NMF

from partita import datasets
from partita.datasets import load_sample, load_sample_truth, sample_path

CATALOGUE = Path(__file__).parents[2] / "datasets"
ENTRIES = sorted(CATALOGUE.glob("*.toml"))


@pytest.fixture(scope="module")
def entry() -> dict:
    return tomllib.loads((CATALOGUE / "sample-fusi.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def making():
    spec = importlib.util.spec_from_file_location("make_samples", CATALOGUE / "make_samples.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def matched(found: np.ndarray, planted: np.ndarray) -> np.ndarray:
    """Correlation of each planted row with the row found for it, one to one."""
    count = len(planted)
    match = np.abs(np.corrcoef(planted, found)[:count, count:])
    return match[linear_sum_assignment(-match)]


@pytest.mark.parametrize("path", ENTRIES, ids=lambda path: path.stem)
def test_every_entry_says_where_data_come_from_and_how_to_load_them(path):
    entry = tomllib.loads(path.read_text(encoding="utf-8"))
    assert entry["name"] == path.stem
    for field in ("title", "modality", "licence", "citation", "format"):
        assert entry[field].strip()
    room, _, name = entry["loader"].rpartition(".")
    assert room == "partita.datasets"
    assert callable(getattr(datasets, name))
    assert path.name in (CATALOGUE / "README.md").read_text(encoding="utf-8")


def test_the_shipped_files_are_those_of_the_catalogue(entry):
    folder = sample_path("fusi").parent
    assert {path.name for path in folder.iterdir() if path.name[0] != "."} == set(entry["files"])
    for name, known in entry["files"].items():
        content = (folder / name).read_bytes()
        assert len(content) == known["bytes"]
        assert hashlib.sha256(content).hexdigest() == known["sha256"]


def test_the_samples_stay_small(entry):
    assert sum(known["bytes"] for known in entry["files"].values()) < 3e6


def test_the_script_makes_the_shipped_recording(making, tmp_path):
    made = making.make_samples(tmp_path)
    shipped = sample_path("fusi").parent
    assert {path.name for path in made} == {path.name for path in tmp_path.iterdir()}
    new, old = (nib.load(folder / made[0].name) for folder in (tmp_path, shipped))
    # Rounding to the stored step may tip over where a library's last bit differs.
    np.testing.assert_allclose(new.get_fdata(), old.get_fdata(), atol=20.5)
    np.testing.assert_array_equal(new.affine, old.affine)
    assert made[1].read_bytes() == (shipped / made[1].name).read_bytes()


def test_the_script_writes_the_same_bytes_each_time(making, tmp_path):
    first, second = (making.make_samples(tmp_path / name) for name in ("one", "two"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_the_sample_is_a_lazy_labelled_recording():
    recording = load_sample()
    assert recording.chunks is not None
    assert recording.dims == ("time", "z", "y", "x")
    assert recording.dtype == np.float32
    assert recording.attrs["units"] == "a.u."
    assert recording.time.attrs["units"] == "s"
    assert recording.y.attrs["units"] == "mm"


def test_the_sample_can_be_read_at_once():
    assert load_sample(chunks=None).chunks is None


def test_the_irregular_timing_of_the_sample_is_kept():
    steps = load_sample().time.diff("time").values
    assert (steps > 0).all()
    assert steps.std() > 0.01
    assert steps.mean() == pytest.approx(0.4, abs=0.01)


def test_the_truth_lies_on_the_coordinates_of_the_sample():
    recording, truth = load_sample(chunks=None), load_sample_truth()
    clean = truth.power * (1 + (truth.maps * truth.signals).sum("component"))
    ratio = xr.align(recording / clean, recording, join="exact")[0]
    assert ratio.size == recording.size
    assert float(ratio.mean()) == pytest.approx(1, abs=0.002)
    assert float(ratio.std()) == pytest.approx(0.1, rel=0.03)


def test_a_factorisation_of_the_standardised_sample_shows_the_planted_sources():
    recording, truth = load_sample(chunks=None), load_sample_truth()
    scores = (recording - recording.mean("time")) / recording.std("time")
    matrix = scores.values.reshape(300, -1)
    signed = np.hstack([np.maximum(matrix, 0), np.maximum(-matrix, 0)])
    model = NMF(8, init="nndsvda", max_iter=60, tol=0, random_state=0)
    signals = model.fit_transform(signed)
    positive, negative = np.split(model.components_, 2, axis=1)
    assert matched(signals.T, truth.signals.values.T).mean() > 0.9
    assert matched(positive - negative, truth.maps.values.reshape(6, -1)).mean() > 0.85


@pytest.mark.parametrize("reader", [sample_path, load_sample, load_sample_truth])
def test_an_unknown_sample_is_refused_with_the_known_ones(reader):
    with pytest.raises(ValueError, match="no sample 'fmri'; the known ones are fusi"):
        reader("fmri")


def test_the_room_lists_its_functions_and_knows_no_others():
    assert set(datasets.__all__) <= set(dir(datasets))
    for name in datasets.__all__:
        assert callable(getattr(datasets, name))
    with pytest.raises(AttributeError, match=r"partita\.datasets.*fetch_everything"):
        _ = datasets.fetch_everything
