"""One map on one axes."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_hex
from matplotlib.contour import QuadContourSet
from matplotlib.text import Text

import partita
from partita.plotting import plot_map


def drawn_at(ax, map_, **place):
    """Return the value drawn at a place in mm, by the pixel that covers it."""
    for image in ax.images:
        left, right, low, high = image.get_extent()
        if left < place["x"] < right and low < place["y"] < high:
            values = image.get_array()
            row = int((place["y"] - low) / (high - low) * values.shape[0])
            column = int((place["x"] - left) / (right - left) * values.shape[1])
            return values[row, column]
    raise AssertionError("nothing is drawn there")


def test_extent_is_that_of_the_voxels_in_millimetres(fusi):
    ax = plot_map(fusi().maps_[0])
    np.testing.assert_allclose(ax.images[0].get_extent(), (-0.4, 0.4, 2.675, 3.275))
    assert sorted(ax.get_xlim()) == pytest.approx([-0.4, 0.4])
    assert sorted(ax.get_ylim()) == pytest.approx([2.675, 3.275])


def test_every_voxel_is_drawn_at_its_coordinates_whichever_way_they_run(fusi):
    map_ = fusi().maps_[0]
    for given in (map_, map_.isel(y=slice(None, None, -1)), map_[..., ::-1], map_.transpose()):
        ax = plot_map(given)
        for y, x in ((2.7, -0.35), (3.0, 0.05), (3.25, 0.35)):
            expected = map_.squeeze("z").sel(y=y, x=x, method="nearest").item()
            assert drawn_at(ax, given, y=y, x=x) == expected


def test_a_millimetre_is_as_long_across_as_down(fusi):
    ax = plot_map(fusi().maps_[0])
    ax.figure.canvas.draw()
    box = ax.get_window_extent()
    assert box.width / box.height == pytest.approx(0.8 / 0.6, rel=1e-3)


def test_uneven_coordinates_give_uneven_voxels():
    map_ = xr.DataArray(
        np.arange(12.0).reshape(3, 4),
        dims=("y", "x"),
        coords={"y": [0.0, 1.0, 4.0], "x": [0.0, 1.0, 2.0, 6.0]},
    )
    ax = plot_map(map_)
    mesh = next(artist for artist in ax.collections if isinstance(artist, QuadMesh))
    np.testing.assert_allclose(mesh.get_coordinates()[0, :, 0], [-0.5, 0.5, 1.5, 4.0, 8.0])
    np.testing.assert_allclose(mesh.get_coordinates()[:, 0, 1], [-0.5, 0.5, 2.5, 5.5])


def test_labels_carry_long_name_and_units(fusi):
    ax = plot_map(fusi().maps_[0])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x [mm]", "y [mm]")
    assert ax.child_axes[0].get_ylabel() == "map"
    assert ax.get_title(loc="left") == "Component 0"
    assert not plot_map(fusi().maps_[0], title="", colorbar=False).child_axes


def test_depth_grows_downwards_and_scanner_coordinates_upwards(fusi, fmri):
    assert plot_map(fusi().maps_[0]).yaxis_inverted()
    assert not plot_map(fmri.maps_[0]).yaxis_inverted()
    assert plot_map(fmri.maps_[0], y_axis="down").yaxis_inverted()
    assert not plot_map(fusi().maps_[0], y_axis="up").yaxis_inverted()


def test_a_crop_is_drawn_the_same_way_up_as_the_whole(tmp_path):
    y = {"y": ("y", np.arange(-3.0, 4.0), {"units": "mm"})}
    values = xr.DataArray(np.ones((4, 7, 5), np.float32), y, ("time", "y", "x"))
    values.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    simulated = partita.datasets.simulate_fmri(random_state=0).recording
    for whole in (simulated.isel(z=0), partita.load(tmp_path / "a.nc")):
        still = whole.isel(time=0)
        for part in (still, still.isel(y=slice(-2, None)), still.isel(y=slice(0, 2))):
            assert not plot_map(part).yaxis_inverted()


@pytest.mark.parametrize(
    ("attrs", "down"),
    [({"positive": "down"}, True), ({"positive": "up"}, False), ({"long_name": "Depth"}, True)],
)
def test_the_coordinate_says_which_way_it_points(attrs, down):
    y = xr.Variable("y", [-1.0, 0.0, 1.0] if down else [1.0, 2.0, 3.0], attrs)
    map_ = xr.DataArray(np.ones((3, 2)), dims=("y", "x"), coords={"y": y})
    assert bool(plot_map(map_).yaxis_inverted()) is down


def test_oblique_maps_stand_as_the_scanner_has_them(fusi):
    map_ = fusi().maps_[0]
    tilted = np.array([[1, 0, 0, -9], [0, 0.98, -0.2, -9], [0, 0.2, 0.98, -9], [0, 0, 0, 1.0]])
    for turn, down in ((1, False), (-1, True)):
        affine = tilted * [1, turn, 1, 1]
        grid = xr.Variable((), 0, {"affine": affine.ravel()})
        assert bool(plot_map(map_.assign_coords(grid=grid)).yaxis_inverted()) is down
    sideways = xr.Variable((), 0, {"affine": tilted[[1, 0, 2, 3]].ravel()})
    assert plot_map(map_.assign_coords(grid=sideways)).yaxis_inverted()


def test_a_slice_across_depth_still_has_depth_downwards(fusi):
    map_ = fusi().maps_[0].squeeze("z").expand_dims(z=[0.0, 0.4, 0.8]).isel(x=0)
    ax = plot_map(map_)
    assert ax.get_ylabel() == "y [mm]"
    assert ax.yaxis_inverted()


def test_slices_are_tiles_labelled_in_millimetres(fmri):
    ax = plot_map(fmri.maps_[0], slices=[-20, 3, 21])
    labels = [text.get_text() for text in ax.texts]
    assert labels == ["z = \N{MINUS SIGN}20 mm", "z = 0 mm", "z = 20 mm"]
    for image, z in zip(ax.images, (-20, 0, 20), strict=True):
        expected = fmri.maps_[0].sel(z=z).sortby("x")
        np.testing.assert_array_equal(image.get_array().filled(np.nan), expected)


def test_tiles_do_not_overlap_and_the_lower_left_is_at_its_coordinates(fmri):
    ax = plot_map(fmri.maps_[0], columns=4)
    boxes = [image.get_extent() for image in ax.images]
    assert len(boxes) == 9
    for i, (left, right, low, high) in enumerate(boxes):
        others = boxes[:i]
        assert all(left >= r or right <= l_ or low >= h or high <= b for l_, r, b, h in others)
    assert (-45, 45, -55, 55) in [tuple(map(round, box)) for box in boxes]
    assert all(-55 <= tick <= 55 for tick in ax.get_yticks())


def test_more_columns_than_slices_leave_no_room_empty(fmri):
    ax = plot_map(fmri.maps_[0], slices=[-20, 0, 20], columns=99)
    assert ax.get_xlim()[1] == pytest.approx(max(image.get_extent()[1] for image in ax.images))


def test_labels_of_tiles_stay_clear_of_the_tiles_above(fmri):
    for map_ in (fmri.maps_[0], fmri.maps_[0].isel(y=slice(3, 8))):
        ax = plot_map(map_)
        ax.figure.canvas.draw()
        tiles = [image.get_window_extent() for image in ax.images]
        for text in ax.texts:
            words = text.get_window_extent()
            assert not any(words.count_overlaps([tile.padded(-1)]) for tile in tiles)


def test_any_dimension_can_be_sliced(fmri):
    ax = plot_map(fmri.maps_[0], slice_dim="x", slices=10)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("y [mm]", "z [mm]")
    np.testing.assert_array_equal(
        ax.images[0].get_array().filled(np.nan), fmri.maps_[0].sel(x=10).transpose("z", "y")
    )


def test_empty_slices_and_more_than_two_dozen_are_left_out(fmri):
    map_ = fmri.maps_[0].where(fmri.maps_.z > 0)
    assert len(plot_map(map_).images) == 4
    deep = xr.DataArray(np.ones((60, 3, 3)), dims=("z", "y", "x"))
    assert len(plot_map(deep).images) == 24


def test_slices_along_several_dimensions_are_all_drawn(fmri):
    pair = fmri.maps_[0].expand_dims(session=["a", "b"])
    ax = plot_map(pair, slices=[0, 10])
    labels = [text.get_text() for text in ax.texts]
    assert labels[:2] == ["session = a, z = 0 mm", "session = a, z = 10 mm"]
    assert len(labels) == 4
    one = plot_map(pair.sel(z=0), slices="b")
    assert [text.get_text() for text in one.texts] == ["session = b"]


def test_outside_the_mask_the_page_shines_through(fmri):
    ax = plot_map(fmri.maps_[0], slices=0)
    image = ax.images[0]
    colours = image.cmap(image.norm(image.get_array()))
    outside = np.isnan(fmri.maps_[0].sel(z=0).sortby("x").values)
    assert np.all(colours[outside, 3] == 0)
    assert np.all(colours[~outside, 3] == 1)


def test_values_below_the_threshold_are_transparent_whatever_their_sign():
    values = np.array([[-3.0, -1.0, 0.0], [1.0, 3.0, np.nan]])
    ax = plot_map(xr.DataArray(values, dims=("y", "x")), threshold=2)
    np.testing.assert_array_equal(
        ax.images[0].get_array().mask, [[False, True, True], [True, False, True]]
    )


def test_colours_are_diverging_about_zero_only_for_two_signs(fusi):
    signed = fusi(signs=True).maps_[0]
    two = plot_map(signed).images[0]
    assert two.norm.vmin == -two.norm.vmax
    assert two.cmap.name == "partita_light_signed"
    one = plot_map(signed.sel(sign="positive")).images[0]
    assert one.norm.vmin == 0
    assert one.cmap.name == "partita_light"
    below = plot_map(-signed.sel(sign="positive")).images[0]
    assert (below.norm.vmax, below.cmap.name) == (0, "partita_light_r")


def test_a_sign_dimension_is_drawn_as_positive_less_negative(fusi):
    signed = fusi(signs=True).maps_[0]
    drawn = plot_map(signed).images[0].get_array()
    expected = signed.sel(sign="positive") - signed.sel(sign="negative")
    np.testing.assert_allclose(drawn, expected.squeeze("z"))


def test_a_merged_map_says_in_its_title_that_it_is_one(fusi):
    signed = fusi(signs=True).maps_[0]
    merged = "positive \N{MINUS SIGN} negative"
    assert plot_map(signed).get_title(loc="left") == f"Component 0 · {merged}"
    assert plot_map(signed.drop_vars("component")).get_title(loc="left") == merged
    assert plot_map(signed, title="Mine").get_title(loc="left") == "Mine"


def test_ends_of_the_colours_can_be_given_and_one_end_keeps_the_symmetry(fusi):
    map_ = fusi(signs=True).maps_[0]
    image = plot_map(map_, vmin=-1, vmax=2, cmap="PuOr").images[0]
    assert (image.norm.vmin, image.norm.vmax, image.cmap.name) == (-1, 2, "PuOr")
    image = plot_map(map_, vmax=2).images[0]
    assert (image.norm.vmin, image.norm.vmax) == (-2, 2)
    with pytest.raises(ValueError, match="vmin must lie below vmax; given: vmin=3, vmax=1"):
        plot_map(map_, vmin=3, vmax=1)


def test_one_bright_voxel_does_not_darken_the_map_and_the_bar_says_so():
    values = np.random.default_rng(0).random((60, 60))
    values[0, 0] = 5.0  # 2 % of the squares
    ax = plot_map(xr.DataArray(values, dims=("y", "x")))
    assert ax.images[0].norm.vmax < 1.01
    assert ax.child_axes[0]._colorbar.extend == "max"
    values[0, 0] = 1000.0  # nearly all of them
    assert plot_map(xr.DataArray(values, dims=("y", "x"))).images[0].norm.vmax == 1000
    robust = plot_map(xr.DataArray(values, dims=("y", "x")), robust=True)
    assert robust.images[0].norm.vmax < 1.01


def test_maps_without_any_value_are_drawn():
    for value in (0.0, np.nan):
        image = plot_map(xr.DataArray(np.full((3, 3), value), dims=("y", "x"))).images[0]
        assert image.norm.vmin < image.norm.vmax


def test_background_is_grey_below_at_its_own_coordinates(fusi):
    map_ = fusi().maps_[0]
    fine = map_.interp(y=np.linspace(2.5, 3.5, 50), x=np.linspace(-0.5, 0.5, 30))
    ax = plot_map(map_, background=fine.squeeze("z", drop=True).fillna(0))
    below, above = ax.images
    assert below.cmap.name == "gray"
    assert below.get_extent()[0] < above.get_extent()[0]
    assert sorted(ax.get_xlim()) == pytest.approx([-0.4, 0.4])


def test_over_a_background_colours_fade_towards_zero_unless_there_is_a_threshold(fusi):
    map_ = fusi().maps_[0]
    faded = plot_map(map_, background=map_).images[1].get_alpha()
    assert faded.min() < 0.01
    assert faded.max() == 1
    assert plot_map(map_, background=map_, threshold=0.1).images[1].get_alpha() is None


def test_background_slices_are_found_by_position(fmri):
    map_ = fmri.maps_[0]
    ax = plot_map(map_, background=map_.isel(z=slice(None, None, -1)) * 5, slices=[20])
    np.testing.assert_allclose(ax.images[0].get_array(), ax.images[1].get_array() * 5)
    with pytest.raises(ValueError, match=r"no slice near z = 20\.0: it reaches from -40"):
        plot_map(map_, background=map_.sel(z=slice(-40, -10)), slices=[20])


def test_background_slices_are_found_by_name_or_by_number(fmri):
    pair = fmri.maps_[0].sel(z=0).expand_dims(plane=["a", "b"])
    ax = plot_map(pair, background=pair.isel(plane=[1, 0]) * 2, slices="b")
    np.testing.assert_allclose(ax.images[0].get_array(), ax.images[1].get_array() * 2)
    with pytest.raises(ValueError, match="The background has no slice near plane = b"):
        plot_map(pair, background=pair.sel(plane=["a"]), slices="b")
    ax = plot_map(pair.drop_vars("plane"), background=pair.drop_vars("plane"), slices=1)
    np.testing.assert_allclose(ax.images[0].get_array(), ax.images[1].get_array())


def test_mask_outline_surrounds_the_voxels_inside(fmri):
    mask = fmri.maps_[0].notnull()
    ax = plot_map(fmri.maps_[0], mask=mask, slices=0)
    outline = next(artist for artist in ax.collections if isinstance(artist, QuadContourSet))
    corners = np.concatenate([path.vertices for path in outline.get_paths()])
    inside = mask.sel(z=0)
    for dim, column in (("x", 0), ("y", 1)):
        reach = mask[dim].where(inside.any([d for d in inside.dims if d != dim]), drop=True)
        assert corners[:, column].min() == pytest.approx(float(reach.min()) - 5)
        assert corners[:, column].max() == pytest.approx(float(reach.max()) + 5)
    empty = plot_map(fmri.maps_[0], mask=mask & False, slices=0)
    assert not [artist for artist in empty.collections if isinstance(artist, QuadContourSet)]


def test_given_axes_are_drawn_on_and_dark_pages_are_recognised(fusi):
    figure, ax = plt.subplots(facecolor="black")
    assert plot_map(fusi().maps_[0], ax=ax) is ax
    assert ax.images[0].cmap.name == "partita_dark"
    assert to_hex(ax.xaxis.label.get_color()) == "#e8e8e8"
    assert plt.get_fignums() == [figure.number]


def test_on_a_dark_page_nothing_is_white_but_the_words(fusi):
    ax = plot_map(fusi().maps_[0], theme="dark")
    assert to_hex(ax.figure.get_facecolor()) == "#101216"
    assert ax.get_facecolor()[3] == 0
    words = [text for text in ax.findobj(Text) if text.get_text()]
    assert {to_hex(text.get_color()) for text in words} == {"#e8e8e8"}


def test_global_settings_are_untouched(fusi):
    before = dict(mpl.rcParams)
    plot_map(fusi().maps_[0], theme="dark")
    assert dict(mpl.rcParams) == before


def test_input_is_untouched_and_lazy_maps_are_drawn(fusi):
    map_ = fusi().maps_[0]
    before = map_.copy(deep=True)
    plot_map(map_.chunk(), background=map_, mask=map_ > 0.5, threshold=0.1)
    xr.testing.assert_identical(map_, before)


def test_places_that_repeat_or_have_names_are_listed_from_the_top():
    map_ = xr.DataArray(
        np.eye(3), dims=("muscle", "phase"), coords={"muscle": list("abc"), "phase": [0, 0, 1]}
    )
    ax = plot_map(map_)
    assert ax.yaxis_inverted()
    assert [text.get_text() for text in ax.get_yticklabels()] == ["a", "b", "c"]
    assert ax.get_aspect() == "auto"


def test_a_map_one_voxel_wide_is_an_image(fusi):
    ax = plot_map(fusi().maps_[0].isel(x=[3]))
    assert ax.images[0].get_array().shape == (12, 1)
    thin = fusi().maps_[0].isel(x=[3])
    thin["x"].attrs["step"] = 0.1
    left, right = plot_map(thin).images[0].get_extent()[:2]
    assert right - left == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("change", "options", "error", "message"),
    [
        (lambda m: m.values, {}, TypeError, "plot_map needs a labelled recording"),
        (
            lambda m: m[0],
            {"theme": "pink"},
            ValueError,
            "no theme 'pink'. Known themes: light, dark",
        ),
        (lambda m: m, {}, ValueError, "draws one map, and was given 3 components. Select one"),
        (lambda m: m[0, 0, 0], {}, ValueError, "needs a map with two dimensions"),
        (lambda m: m[0, :0], {}, ValueError, "was given an empty map"),
        (lambda m: m[0], {"slice_dim": "q"}, ValueError, "cannot slice along 'q'"),
        (
            lambda m: m[0],
            {"slices": 9},
            ValueError,
            r"no slice at z = 9 mm: the map reaches from 1",
        ),
        (
            lambda m: m[0],
            {"slices": "b"},
            ValueError,
            "no slice at z = b mm: the map reaches from 1",
        ),
        (lambda m: m[0], {"slices": np.nan}, ValueError, "no slice at z = nan mm"),
        (lambda m: m[0], {"slices": []}, ValueError, "No slice was asked for.* leave slices= out"),
        (
            lambda m: m[0],
            {"columns": 0},
            ValueError,
            "columns must be .* above 0, and was 0. Leave",
        ),
        (lambda m: m[0], {"columns": 1.5}, ValueError, "columns must be a whole number"),
        (lambda m: m[0], {"y_axis": "left"}, ValueError, "y_axis must be 'auto', 'up' or 'down'"),
        (lambda m: m[0], {"threshold": -1}, ValueError, "threshold must be 0 or above"),
        (lambda m: m[0], {"mask": "brain"}, TypeError, "A mask is a boolean DataArray"),
        (lambda m: m[0], {"background": 3}, TypeError, "The background is a DataArray with"),
        (
            lambda m: m[0],
            {"background": xr.DataArray([["a"]], dims=("y", "x"))},
            TypeError,
            r"The background holds real numbers, and this one <U1. .*astype\(float\)",
        ),
        (
            lambda m: m[0, 0].expand_dims(plane=["a", "b"]),
            {"slices": "c"},
            ValueError,
            "no slice plane = 'c'. Known: a, b",
        ),
        (
            lambda m: m[0, 0].expand_dims(plane=["a", "b"], echo=[1, 2]),
            {"slices": 1},
            ValueError,
            "slices= needs one dimension to slice along",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_words(fusi, change, options, error, message):
    with pytest.raises(error, match=message):
        plot_map(change(fusi().maps_), **options)
    assert not plt.get_fignums()


def test_mask_and_background_of_other_coordinates_are_refused(fusi):
    map_ = fusi().maps_[0]
    moved = map_.assign_coords(y=map_.y + 0.02)
    with pytest.raises(ValueError, match="The mask lies on another grid: 12 of 12"):
        plot_map(map_, mask=moved > 0.5)
    with pytest.raises(ValueError, match=r"The background must have the dimensions \('y', 'x'\)"):
        plot_map(map_, background=fusi().signals_)
