"""Whatever brings two recordings together looks where in the scanner both lie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

import partita
from partita import NMF, PCA, preprocess
from partita.plotting import plot_components, plot_map


def tilted(degrees: float, shift: float = 0.0) -> np.ndarray:
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[cos, -sin, 0, shift], [sin, cos, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


def head(affine: np.ndarray) -> xr.DataArray:
    """Return a recording whose coordinates begin at the first voxel, whatever its affine."""
    rng = np.random.default_rng(3)
    coords = {"time": 2.0 * np.arange(30)} | {
        name: (name, 2.0 * np.arange(n), {"units": "mm"})
        for name, n in {"z": 3, "y": 12, "x": 10}.items()
    }
    values = rng.gamma(2.0, 1.0, (30, 3, 12, 10)) + 50
    recording = xr.DataArray(values, coords, ("time", "z", "y", "x"))
    return recording.assign_coords(grid=((), 0, {"affine": affine.ravel()}))


def fitted(recording: xr.DataArray) -> Any:
    return NMF(2, random_state=0, max_iter=3, tol=0).fit(recording)


def factorise(recording: xr.DataArray, k: int = 2, **options: Any) -> Any:
    return NMF(k, random_state=0, tol=0.1, **options).fit(recording)


def folded(own: xr.DataArray, other: xr.DataArray) -> None:
    fitted(own).partial_fit(other)


MEET: dict[str, Callable[[xr.DataArray, xr.DataArray], Any]] = {
    "mask": lambda own, other: factorise(own, mask=other.mean("time") > 0),
    "mask of PCA": lambda own, other: PCA(2, mask=other.mean("time") > 0).fit(own),
    "weights": lambda own, other: NMF(2, tol=0.1).fit(own, weights=other > 0),
    "transform": lambda own, other: fitted(own).transform(other),
    "weights of transform": lambda own, other: fitted(own).transform(own, weights=other > 0),
    "init": lambda own, other: factorise(own, init=fitted(other).maps_),
    "fixed_maps": lambda own, other: factorise(own, 3, fixed_maps=fitted(other).maps_),
    "fit_sessions": lambda own, other: NMF(2, max_iter=3, tol=0).fit_sessions(
        [own, other], n_passes=1
    ),
    "partial_fit": folded,
    "dvars": lambda own, other: preprocess.dvars(own, mask=other.mean("time") > 0),
    "compcor": lambda own, other: preprocess.compcor(own, other.mean("time") > 0),
    "baseline": lambda own, other: preprocess.delta_f_over_f(own, baseline=other.mean("time")),
    "apply_motion": lambda own, other: preprocess.apply_motion(
        own, preprocess.estimate_motion(other, transform="translation", per="plane")
    ),
    "reference": lambda own, other: preprocess.estimate_motion(
        own, transform="translation", per="plane", reference=other.mean("time")
    ),
    "background of a plot": lambda own, other: plot_map(own[0], background=other[0]),
    "mask of a plot": lambda own, other: plot_map(own[0], mask=other[0] > 50),
    "background of parts": lambda own, other: plot_components(fitted(own), background=other[0]),
}


@pytest.mark.parametrize("meet", MEET.values(), ids=MEET)
@pytest.mark.parametrize(
    ("affine", "words"), [(tilted(40), "turned by 30°"), (tilted(10, 500), "shifted by 500 mm")]
)
def test_another_oblique_head_is_refused(meet, affine, words) -> None:
    own, other = head(tilted(10)), head(affine)
    with pytest.raises(ValueError, match=words):
        meet(own, other)
    plt.close("all")


@pytest.mark.parametrize("meet", MEET.values(), ids=MEET)
def test_the_same_oblique_head_is_taken(meet) -> None:
    meet(head(tilted(10)), head(tilted(10)))
    plt.close("all")


def sliced(meet: Callable[..., Any], z: int) -> Any:
    """Let a recording of one slice, of which z is a mere number, meet another."""
    thin = head(tilted(10)).rename(z="depth").isel(depth=slice(0, 1)).squeeze("depth", drop=True)
    return meet(thin.assign_coords(z=((), 2.0, {"units": "mm"})),
                thin.assign_coords(z=((), float(z), {"units": "mm"})))  # fmt: skip


# The motion of one slice may be that of its neighbour; the others need planes.
OF_SLICES = [name for name in MEET if name not in ("apply_motion", "reference")]


@pytest.mark.parametrize("name", OF_SLICES)
def test_another_slice_is_refused_where_its_place_is_a_number(name) -> None:
    with pytest.raises(ValueError, match=r"another slice: it lies at z = 6 mm.* at z = 2 mm"):
        sliced(MEET[name], z=6)
    sliced(MEET[name], z=2)
    plt.close("all")


def seen(pose: int) -> xr.DataArray:
    """Return the recording of one pose, whose affines are still those of all."""
    affines = np.stack([tilted(10), tilted(40)]).ravel()
    bare = head(tilted(10)).drop_vars("grid")
    both = xr.concat([bare, bare], "pose").transpose("time", "pose", ...)
    return both.assign_coords(pose=("pose", [0, 1], {"affine": affines})).isel(pose=pose)


@pytest.mark.slow
@pytest.mark.parametrize("meet", MEET.values(), ids=MEET)
def test_another_pose_of_the_probe_is_refused(meet) -> None:
    with pytest.raises(ValueError, match="turned by 30°"):
        meet(seen(0), seen(1))
    meet(seen(1), seen(1))
    plt.close("all")


def test_a_pose_that_is_stored_the_other_way_round_is_matched() -> None:
    own = seen(0)
    flip = tilted(10) @ np.array([[-1, 0, 0, 18], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    stored = own[..., ::-1].assign_coords(x=own.x.values, pose=((), 0, {"affine": flip.ravel()}))
    model = fitted(own)
    np.testing.assert_allclose(model.transform(stored), model.transform(own), rtol=1e-6)


def test_a_background_of_the_same_words_in_another_order_is_refused() -> None:
    named = head(tilted(10)).drop_vars("grid")[0, 0].assign_coords(x=list("abcdefghij"))
    plot_map(named, background=named)
    with pytest.raises(ValueError, match="other labels along x than the map, or in another order"):
        plot_map(named, background=named[:, ::-1])
    plt.close("all")


def in_other_units(recording: xr.DataArray) -> xr.DataArray:
    return recording.assign_coords(x=("x", recording.x.values, {"units": "um"}))


@pytest.mark.parametrize("meet", MEET.values(), ids=MEET)
def test_places_in_other_units_are_refused(meet) -> None:
    own = head(tilted(10)).drop_vars("grid")
    with pytest.raises(ValueError, match=r"'x' in (um|mm), and needs|needs one unit"):
        meet(own, in_other_units(own))
    plt.close("all")


@pytest.mark.parametrize("name", ["baseline", "reference", "mask", "transform", "weights"])
def test_places_that_only_one_knows_are_refused(name) -> None:
    own = head(tilted(10)).drop_vars("grid")
    with pytest.raises(ValueError, match="has no coordinate 'x'"):
        MEET[name](own, own.drop_vars("x"))


def test_motion_in_millimetres_is_not_taken_for_voxels() -> None:
    own = head(tilted(10)).drop_vars("grid")
    motion = preprocess.estimate_motion(own, transform="translation", per="plane")
    with pytest.raises(ValueError, match="units of the coordinates y, x, which the recording"):
        preprocess.apply_motion(own.drop_vars(["y", "x"]), motion)
    with pytest.raises(ValueError, match="has no coordinate 'x'"):
        preprocess.apply_motion(own, motion.drop_vars("x"))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_session_stored_the_other_way_round_gives_the_same_signals() -> None:
    own = head(tilted(10))
    there = own[..., ::-1]
    affine = tilted(10) @ np.array([[-1, 0, 0, 18], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    stored = there.assign_coords(x=own.x.values, grid=((), 0, {"affine": affine.ravel()}))
    model = fitted(own)
    np.testing.assert_allclose(model.transform(stored), model.transform(own), rtol=1e-6)
    mask = stored.mean("time") > 52
    masked = partita.NMF(2, mask=mask, random_state=0).fit(own).maps_
    np.testing.assert_array_equal(masked[0].notnull(), own.mean("time") > 52)


def test_a_background_is_drawn_where_it_lies_in_the_scanner() -> None:
    own = head(tilted(10))[0]
    beside = head(tilted(10) @ np.array([[1, 0, 0, -4], [0, 1, 0, 6], [0, 0, 1, 0], [0, 0, 0, 1]]))
    axes = plot_map(own.isel(z=0), background=beside[0].isel(z=0))
    behind, before = axes.images
    np.testing.assert_allclose(behind.get_extent()[:2], np.add(before.get_extent()[:2], -4))
    np.testing.assert_allclose(behind.get_extent()[2:], np.add(before.get_extent()[2:], 6))
    plt.close("all")
