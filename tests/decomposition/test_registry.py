"""A class is known by its name from where it is defined: a user's own is saved and loaded too."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import xarray as xr
from sklearn.base import clone

import partita
from partita.decomposition import Decomposition, Fit, Signals, registry

OWN = '''
from typing import ClassVar
import numpy as np
from partita.decomposition import Decomposition


class MixedNMF(Decomposition):
    """Signed maps and non-negative signals (Ding, Li & Jordan 2010)."""

    non_negative: ClassVar = ("signals",)

    def __init__(self, n_components=3, *, mask=None, sample_dim="time", shape=(2, "a")):
        self.n_components, self.mask, self.sample_dim = n_components, mask, sample_dim
        self.shape = shape

    def fit(self, recording, y=None):
        seen = self._look_over(recording)
        X = seen.matrix
        W = np.random.default_rng(0).random((len(X), self.n_components)).astype(X.dtype) + 0.1
        for _ in range(30):
            H = np.linalg.lstsq(W, X, rcond=None)[0]
            W = self._updated(W, X @ H.T, H @ H.T)
        found = self._fit(seen, W, H)
        return self._remember(seen.stacker, found)

    def _signals_for(self, seen, maps):
        signals = super()._signals_for(seen, maps)
        return signals._replace(values=np.maximum(signals.values, 0))

    @staticmethod
    def _updated(W, C, G):
        plus, minus = (np.abs(G) + G) / 2, (np.abs(G) - G) / 2
        up, down = (np.abs(C) + C) / 2 + W @ minus, (np.abs(C) - C) / 2 + W @ plus
        return W * np.sqrt(up / np.maximum(down, 1e-12))
'''


@pytest.fixture
def recording() -> xr.DataArray:
    rng = np.random.default_rng(0)
    values = rng.random((40, 2)) @ rng.standard_normal((2, 12)) + 0.01 * rng.random((40, 12))
    return xr.DataArray(
        values.reshape(40, 3, 4),
        dims=("time", "y", "x"),
        coords={"time": np.arange(40) * 0.5, "y": np.arange(3.0), "x": np.arange(4.0)},
        attrs={"units": "V"},
    )


@pytest.fixture
def mixed_nmf(tmp_path, monkeypatch) -> type[Decomposition]:
    (tmp_path / "own_models.py").write_text(OWN, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    import own_models

    yield own_models.MixedNMF
    del sys.modules["own_models"]


def test_an_estimator_of_25_lines_has_all_that_the_others_have(
    mixed_nmf, recording, tmp_path
) -> None:
    model = mixed_nmf(2, mask=recording["x"] > 0).fit(recording)
    assert (model.signals_ >= 0).all()
    assert bool((model.maps_ < 0).any())
    assert bool(model.maps_.sel(x=0).isnull().all())
    assert model.signals_.attrs["units"] == "V"
    assert clone(model).get_params()["n_components"] == 2
    assert model.transform(recording).dims == ("time", "component")
    assert partita.estimate_memory(recording, model).total > 0
    partita.save(model, tmp_path / "model.nc")
    again = partita.load_model(tmp_path / "model.nc")
    assert type(again) is mixed_nmf
    assert again.shape == (2, "a")
    xr.testing.assert_identical(again.maps_, model.maps_)
    xr.testing.assert_identical(again.transform(recording), model.transform(recording))
    xr.testing.assert_identical(again.inverse_transform(), model.inverse_transform())
    assert "MixedNMF" not in registry.estimators()


@pytest.mark.slow
def test_a_class_that_is_not_defined_here_is_asked_for(mixed_nmf, recording, tmp_path) -> None:
    partita.save(mixed_nmf(2).fit(recording), tmp_path / "model.nc")
    code = (
        "import sys, partita; sys.path.insert(0, sys.argv[2])\n"
        "try:\n    partita.load_model(sys.argv[1])\n"
        "except ValueError as error:\n    print(error)\n"
        "import own_models\n"
        "print(type(partita.load_model(sys.argv[1])).__name__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "model.nc"), str(tmp_path)],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    refused, loaded = done.stdout.splitlines()
    assert "class 'MixedNMF', which own_models defines. Import that module first" in refused
    assert loaded == "MixedNMF"


def test_a_class_that_takes_fewer_parameters_now_is_named(mixed_nmf, recording, tmp_path) -> None:
    partita.save(mixed_nmf(2).fit(recording), tmp_path / "model.nc")

    def keep(self, n_components=2, *, mask=None, sample_dim="time"):
        self.n_components, self.mask, self.sample_dim = n_components, mask, sample_dim

    type("MixedNMF", (mixed_nmf,), {"__module__": "own_models", "__init__": keep})
    refusal = r"MixedNMF with the parameters \['shape'.*\], which own_models.MixedNMF.*saved from"
    with pytest.raises(ValueError, match=refusal):
        partita.load_model(tmp_path / "model.nc")


def test_a_file_comes_back_as_the_class_of_its_own_module(mixed_nmf, recording, tmp_path) -> None:
    partita.save(mixed_nmf(2).fit(recording), tmp_path / "model.nc")
    namesake = type("MixedNMF", (mixed_nmf,), {"__module__": "elsewhere"})
    assert type(partita.load_model(tmp_path / "model.nc")) is mixed_nmf
    partita.save(namesake(2).fit(recording), tmp_path / "other.nc")
    assert type(partita.load_model(tmp_path / "other.nc")) is namesake


@pytest.mark.slow
def test_a_class_that_has_moved_is_found_by_its_name_and_that_is_said(recording, tmp_path) -> None:
    path = tmp_path / "model.nc"
    code = (
        "import sys, pickle, partita\n"
        "kind = type('Moved', (partita.PCA,), {'__module__': 'before'})\n"
        "model = kind(2).fit(pickle.load(sys.stdin.buffer))\n"
        "partita.save(model, sys.argv[1])"
    )
    given = pickle.dumps(recording)
    subprocess.run([sys.executable, "-c", code, str(path)], input=given, check=True)
    after = type("Moved", (partita.PCA,), {"__module__": "after"})
    with pytest.warns(UserWarning, match=r"saved as before\.Moved, .* loaded as after\.Moved"):
        assert type(partita.load_model(path)) is after


@pytest.mark.slow
def test_the_name_of_one_of_ours_is_not_for_another_class() -> None:
    assert "NMF" in registry.estimators()
    with pytest.raises(TypeError, match=r"NMF is an estimator of Partita.*another name"):
        type("NMF", (Decomposition,), {})
    assert registry.estimators()["NMF"] is partita.NMF
    code = (
        "from partita.decomposition import Decomposition\n"
        "try:\n    type('NMF', (Decomposition,), {'__module__': '__main__'})\n"
        "except TypeError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8")
    assert "Give __main__.NMF another name" in done.stdout, "before ours is imported"


def test_a_class_that_is_defined_again_takes_the_place_of_the_one_before() -> None:
    first = type("OfANotebook", (Decomposition,), {"__module__": "__main__"})
    second = type("OfANotebook", (Decomposition,), {"__module__": "__main__"})
    found = registry.find("OfANotebook", module="__main__", version="0", source="file")
    assert found is second
    assert registry.is_estimator(first())


def test_what_is_labelled_may_be_lists_and_mappings(recording, tmp_path) -> None:
    class Layered(Decomposition):
        remembers: ClassVar = (*Decomposition.remembers, "layers_", "by_name_", "lags_")
        map_dims: ClassVar = ("component", "lag")
        transforms: ClassVar = False

        def __init__(self, n_components=2, *, mask=None, sample_dim="time"):
            self.n_components, self.mask, self.sample_dim = n_components, mask, sample_dim

        def fit(self, recording, y=None):
            seen = self._look_over(recording)
            maps = np.ones((2, 3, seen.stacker.n_features))
            labelled = seen.stacker.maps(maps, component=[0, 1], lag=None)
            more = {
                "layers_": [labelled, labelled[:, :2].rename(lag="other")],
                "by_name_": {"a/b": labelled[:1], 3: (1, None)},
                "lags_": (0.0, 0.5, 1.0),
            }
            signals = Signals(np.ones((seen.stacker.n_samples, 2)))
            fit = Fit(signals, maps, np.arange(2), 1.0, 0.0, leading={"lag": [0.0, 0.5, 1.0]})
            return self._remember(seen.stacker, fit._replace(more=more))

    model = Layered().fit(recording)
    assert model.maps_.dims == ("component", "lag", "y", "x")
    partita.save(model, tmp_path / "model.nc")
    again = partita.load_model(tmp_path / "model.nc")
    xr.testing.assert_identical(again.maps_, model.maps_)
    assert again.lags_ == model.lags_
    assert list(again.by_name_) == ["a/b", 3]
    assert again.by_name_[3] == (1, None)
    xr.testing.assert_identical(again.by_name_["a/b"], model.by_name_["a/b"])
    for one, other in zip(again.layers_, model.layers_, strict=True):
        xr.testing.assert_identical(one, other)
    with pytest.raises(ValueError, match="labels its results by 'lag'"):
        model.fit(recording.rename(y="lag"))
    with pytest.raises(TypeError, match="Layered has no signals for new recordings"):
        model.transform(recording)


def test_what_is_remembered_may_be_called_as_what_a_file_holds_besides(recording, tmp_path) -> None:
    class Named(partita.PCA):
        own: ClassVar = ("recipe", "parameters", "recording")
        remembers: ClassVar = (*partita.PCA.remembers, *own)

        def _remember(self, stacker, fit):
            labelled = xr.DataArray([1.0, 2.0], {"mask": [3, 4], "stacker": 5}, "mask")
            more = {**fit.more, **dict.fromkeys(self.own, labelled)}
            return super()._remember(stacker, fit._replace(more=more))

    mask = recording[0].drop_vars("time") > -np.inf
    model = Named(2, mask=mask).fit(recording)
    partita.save(model, tmp_path / "model.nc")
    again = partita.load_model(tmp_path / "model.nc")
    xr.testing.assert_identical(again.mask, mask)
    for name in model.own:
        xr.testing.assert_identical(getattr(again, name), getattr(model, name))


@pytest.mark.slow
def test_every_module_of_the_room_can_be_read_without_another_first() -> None:
    room = Path(partita.decomposition.__file__).parent
    names = sorted(path.stem for path in room.glob("[a-z]*.py"))
    code = "import importlib, sys; importlib.import_module('partita.decomposition.' + sys.argv[1])"
    for name in ("persistence", "registry", "sessions"):
        assert name in names
        subprocess.run([sys.executable, "-c", code, name], check=True)


def test_a_class_of_an_example_in_a_module_is_none_of_its_own() -> None:
    example = type("Example", (Decomposition,), {"__module__": "partita.decomposition._base"})
    assert "Example" not in registry.estimators()
    assert registry.is_estimator(example())
