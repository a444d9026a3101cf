"""Two recordings share a place where their affines say so, not where their coordinates look it."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from partita._labels import align
from partita._labels.placement import grid_affine, placed_like, refuse_elsewhere, with_direction

SIZES = {"x": 4, "y": 5, "z": 3}


def turned(degrees: float, axis: str = "z") -> np.ndarray:
    """Return an affine that turns about one axis of space."""
    first, second = [i for i, name in enumerate("xyz") if name != axis]
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    affine = np.eye(4)
    affine[first, [first, second]] = cos, -sin
    affine[second, [first, second]] = sin, cos
    return affine


def moved(mm: float) -> np.ndarray:
    affine = turned(20)
    affine[0, 3] = mm
    return affine


def image_on(affine: np.ndarray | None, *, step: float = 2.0, units: str = "mm") -> xr.DataArray:
    """Return a volume whose values say which voxel it is."""
    shape = tuple(SIZES.values())
    coords = {name: (name, step * np.arange(n), {"units": units}) for name, n in SIZES.items()}
    image = xr.DataArray(np.arange(np.prod(shape)).reshape(shape), coords, tuple(SIZES))
    if affine is None:
        return image
    return image.assign_coords(grid=((), 0, {"affine": affine.ravel()}))


def places(image: xr.DataArray) -> dict[tuple[float, ...], int]:
    """Return the value at each place of the scanner, rounded to 1e-6 mm."""
    found = {}
    for at in np.ndindex(*(image.sizes[name] for name in "xyz")):
        own = [float(image[name][i]) for name, i in zip("xyz", at, strict=True)]
        there = (grid_affine(image) @ [*own, 1])[:3].round(6) + 0.0
        found[tuple(there)] = int(image.isel(dict(zip("xyz", at, strict=True))))
    return found


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (moved(500), "shifted by 500 mm"),
        (moved(0.5), "shifted by 0.5 mm"),
        (turned(50), "turned by 30°"),
        (turned(20, "x"), "turned by"),
        (turned(20) @ np.diag([-1, 1, 1, 1]), "mirrored"),
        (turned(20) @ np.diag([1.5, 1, 1, 1]), "stretched 1 to 1.5 times"),
    ],
)
def test_another_place_is_refused_saying_what_differs(other, words) -> None:
    template, image = image_on(turned(20)), image_on(other)
    with pytest.raises(ValueError, match=words):
        align.to_grid(image, template, besides=(), caller="The image")
    with pytest.raises(ValueError, match=words):
        align.mask_over(image > 3, template, caller="The mask")
    with pytest.raises(ValueError, match=words):
        refuse_elsewhere(image, template, caller="The image")


def test_rounding_of_a_file_is_the_same_place() -> None:
    template = image_on(moved(40))
    image = image_on(moved(40).astype(np.float32).astype(float) + 1e-6)
    assert align.to_grid(image, template, besides=(), caller="The image") is image


@pytest.mark.parametrize("signs", [(-1, 1, 1), (1, -1, 1), (-1, -1, 1), (-1, -1, -1)])
@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 0, 1)])
def test_axes_in_another_order_or_turned_round_are_matched_by_their_place(signs, order) -> None:
    template = image_on(turned(20))
    truth = places(template)
    own = image_on(turned(20))
    # The same voxels, stored along other axes: each begins where the old one begins or ends.
    flipped = own.isel({name: slice(None, None, s) for name, s in zip("xyz", signs, strict=True)})
    names = [("xyz"[i]) for i in order]
    stored = flipped.transpose(*names)
    linear = np.zeros((4, 4))
    linear[3, 3] = 1
    for new, old in enumerate(order):
        linear[old, new] = signs[old]
        linear[old, 3] = float(flipped["xyz"[old]][0])
    coords = {"xyz"[k]: ("xyz"[k], 2.0 * np.arange(n)) for k, n in enumerate(stored.shape)}
    stored = xr.DataArray(stored.values, coords, ("x", "y", "z"))
    stored = stored.assign_coords(grid=((), 0, {"affine": (turned(20) @ linear).ravel()}))
    assert places(stored) == truth
    found = align.to_grid(stored, template, besides=(), caller="The image")
    np.testing.assert_array_equal(found.transpose("x", "y", "z"), template)
    np.testing.assert_allclose(grid_affine(found), grid_affine(template))


def test_a_part_that_is_counted_from_elsewhere_is_found() -> None:
    whole = image_on(turned(20))
    part = whole.isel(x=slice(1, 3))
    affine = grid_affine(whole) @ np.array([[1, 0, 0, 2], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    counted = part.assign_coords(x=[0.0, 2.0], grid=((), 0, {"affine": affine.ravel()}))
    found = align.to_grid(whole, counted, besides=(), caller="The image")
    np.testing.assert_array_equal(found, part)


def test_millimetres_of_the_affine_meet_coordinates_of_other_units() -> None:
    template = image_on(moved(3), step=100, units="um")
    image = image_on(moved(3) @ np.diag([-1, 1, 1, 1]), step=-100, units="um")
    image = image.assign_coords(y=template.y.variable, z=template.z.variable)
    found = align.to_grid(image, template, besides=(), caller="The image")
    np.testing.assert_allclose(found["x"], template["x"], atol=1e-9)
    with pytest.raises(ValueError, match=r"shifted by 0\.001 mm"):
        refuse_elsewhere(image_on(moved(3.001), step=100, units="um"), template, caller="It")


@pytest.mark.parametrize("pair", [(None, turned(20)), (turned(20), None), (None, None)])
def test_what_says_nothing_of_the_scanner_is_compared_by_its_coordinates(pair) -> None:
    image, template = map(image_on, pair)
    assert placed_like(image, template, caller="The image").array is image


def test_the_affines_of_poses_are_compared_too() -> None:
    poses = np.stack([np.eye(4), moved(1)])

    def seen(affines: np.ndarray) -> xr.DataArray:
        labels = xr.Variable("pose", np.arange(len(affines)), {"affine": affines.ravel()})
        return image_on(None).expand_dims(pose=len(affines)).assign_coords(pose=labels)

    refuse_elsewhere(seen(poses), seen(poses), caller="The image")
    other = seen(np.stack([np.eye(4), moved(10)]))
    with pytest.raises(ValueError, match="shifted by 9 mm"):
        align.to_grid(other, seen(poses), besides=(), caller="The image")
    with pytest.raises(ValueError, match="seen in 1 poses, and the other in 2"):
        refuse_elsewhere(image_on(np.eye(4)), seen(poses), caller="The image")


def test_an_affine_that_is_none_is_refused() -> None:
    image = image_on(np.eye(4)).assign_coords(grid=((), 0, {"affine": np.ones(3)}))
    with pytest.raises(ValueError, match="16 finite numbers"):
        placed_like(image, image_on(np.eye(4)), caller="The image")


@pytest.mark.parametrize(
    ("places", "affine", "direction"),
    [
        ([0.0, 1, 2], np.eye(4), "down"),
        ([-3.0, -2], np.eye(4), "up"),
        ([-3.0, -2], np.diag([1.0, -1, 1, 1]), "down"),
        ([0.0, 1], np.array([[1, 0, 0, 0], [0, 1, 0, -5], [0, 0, 1, 0], [0, 0, 0, 1.0]]), "up"),
    ],
)
def test_y_goes_down_where_it_is_a_depth_or_goes_back(places, affine, direction):
    coords = {
        "y": xr.DataArray(places, dims="y", attrs={"units": "mm"}),
        "grid": xr.DataArray(0, attrs={"affine": affine.ravel()}),
    }
    told = with_direction(coords)
    assert told["y"].attrs == {"units": "mm", "positive": direction}
    assert "positive" not in coords["y"].attrs
    kept = told["y"].assign_attrs(positive="sideways")
    assert with_direction({"y": kept})["y"].attrs["positive"] == "sideways"


def test_rows_that_are_named_have_no_direction():
    coords = {"y": xr.DataArray(["a", "b"], dims="y")}
    assert with_direction(coords)["y"].attrs == {}
