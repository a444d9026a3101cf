"""Maps beside time courses, a row a component."""

from __future__ import annotations

import subprocess
import sys
from itertools import combinations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import partita
from partita.plotting import plot_components, plot_map
from partita.plotting.sheets import NotebookFigure


def traces(figure):
    """Return the axes with time courses: those with a title."""
    return [ax for ax in figure.axes if ax.get_title(loc="left").startswith("Component")]


def maps(figure):
    """Return the axes with images."""
    return [ax for ax in figure.axes if ax.images]


def texts(figure):
    """Return all words written on the page and its axes, titles and labels aside."""
    return [text.get_text() for place in [figure, *figure.axes] for text in place.texts]


def boxes(figure):
    """Return what every axes covers with all its words, in pixels."""
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    return [ax.get_tightbbox(renderer) for ax in figure.axes]


def test_each_component_has_a_map_a_course_and_its_share(fusi):
    model = fusi(3)
    figure = plot_components(model)
    assert isinstance(figure, Figure)
    assert [ax.get_title(loc="left") for ax in traces(figure)] == [
        "Component 0 · alone 60.0 %",
        "Component 1 · alone 36.0 %",
        "Component 2 · alone 21.6 %",
    ]
    for number, (map_ax, ax) in enumerate(zip(maps(figure), traces(figure), strict=True)):
        np.testing.assert_array_equal(
            map_ax.images[0].get_array(), model.maps_[number].squeeze("z")
        )
        np.testing.assert_array_equal(ax.lines[0].get_ydata(), model.signals_[:, number])


def test_all_components_share_scales(fusi, fmri):
    for model in (fusi(3), fusi(3, signs=True), fmri):
        figure = plot_components(model)
        norms = {(i.norm.vmin, i.norm.vmax) for ax in maps(figure) for i in ax.images}
        assert len(norms) == 1
        assert len({ax.get_ylim() for ax in traces(figure)}) == 1
        assert len({ax.get_xlim() for ax in traces(figure)}) == 1


def test_shared_scales_are_those_of_all_components_also_of_a_few(fusi, listed):
    for model in (fusi(4, signs=True), listed(neuron=np.arange(30))):
        whole, few = plot_components(model), plot_components(model, components=[2])
        ends = [ax.get_ylim() for ax in (traces(whole)[2], traces(few)[0])]
        assert ends[0] == ends[1]
        if maps(whole):
            norms = [maps(figure)[0].images[0].norm for figure in (whole, few)]
            assert (norms[0].vmin, norms[0].vmax) == (norms[1].vmin, norms[1].vmax)
        else:
            assert whole.axes[0].get_ylim() == few.axes[0].get_ylim()


def test_the_figure_says_what_all_parts_explain(fusi):
    model = fusi(3)
    assert "3 parts" in texts(plot_components(model))
    model.explained_ = xr.Dataset({"r2": 0.185, "vaf": 0.437})
    assert "3 parts: R² 18.5 %" in texts(plot_components(model))


def test_limits_of_each_component_differ_if_asked(fusi):
    figure = plot_components(fusi(3), limits="each")
    assert len({ax.get_ylim() for ax in traces(figure)}) == 3
    assert len({ax.images[0].norm.vmax for ax in maps(figure)}) == 3
    assert all(ax.child_axes for ax in maps(figure))


def test_signs_are_merged_or_stand_side_by_side(fusi):
    model = fusi(2, signs=True)
    merged = plot_components(model)
    assert len(maps(merged)) == 2
    norm = maps(merged)[0].images[0].norm
    assert norm.vmin == -norm.vmax
    assert "map (positive − negative)" in texts(merged)
    side = plot_components(model, signs="side-by-side")
    headings = [ax.get_title(loc="left") for ax in maps(side)]
    assert headings == ["positive", "negative", "", ""]
    assert all(ax.images[0].cmap.name == "partita_light" for ax in maps(side))


def test_signed_maps_of_other_methods_are_diverging(fusi):
    model = fusi(2)
    model.maps_ = model.maps_ - 0.3
    image = maps(plot_components(model, theme="dark"))[0].images[0]
    assert image.cmap.name == "partita_dark_signed"
    assert image.norm.vmin == -image.norm.vmax


def test_chosen_components_are_drawn_in_the_order_asked(fusi):
    figure = plot_components(fusi(5), components=[3, 1])
    titles = [ax.get_title(loc="left") for ax in traces(figure)]
    assert [title.split(" ·")[0] for title in titles] == ["Component 3", "Component 1"]
    assert len(traces(plot_components(fusi(5), components=2))) == 1


def test_components_with_names_are_chosen_by_name(fusi):
    model = fusi(2)
    labels = {"component": ["visual", "motor"]}
    model.maps_, model.signals_ = (
        array.assign_coords(labels) for array in (model.maps_, model.signals_)
    )
    figure = plot_components(model, components="motor")
    assert traces(figure)[0].get_title(loc="left") == "Component motor · alone 36.0 %"


def test_labels_carry_units_on_the_last_row(fusi):
    figure = plot_components(fusi(2))
    first, last = traces(figure)
    assert (last.get_xlabel(), last.get_ylabel()) == ("Time [s]", "signal [mV]")
    assert (first.get_xlabel(), first.get_ylabel()) == ("", "")
    bottom = maps(figure)[-1]
    assert (bottom.get_xlabel(), bottom.get_ylabel()) == ("x [mm]", "y [mm]")
    assert "map" in texts(figure)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "signs", "limits"), [(1, True, "shared"), (3, True, "each"), (16, False, "shared")]
)
def test_nothing_overlaps_and_nothing_leaves_the_page(fusi, count, signs, limits):
    figure = plot_components(fusi(count, signs=signs), limits=limits)
    found = boxes(figure)
    for one, other in combinations(found, 2):
        across = min(one.x1, other.x1) - max(one.x0, other.x0)
        up = min(one.y1, other.y1) - max(one.y0, other.y0)
        assert min(across, up) < 2  # pixels
    page = figure.bbox
    assert all(box.x0 >= -1 and box.y0 >= -1 for box in found)
    assert all(box.x1 <= page.width + 1 and box.y1 <= page.height + 1 for box in found)


def test_maps_keep_their_aspect_and_fill_their_panels(fusi):
    figure = plot_components(fusi(2))
    panel = maps(figure)[0]
    before = panel.get_position().bounds
    figure.canvas.draw()
    assert panel.get_aspect() == 1
    np.testing.assert_allclose(panel.get_position().bounds, before, atol=1e-6)


def test_each_part_of_a_volume_is_cut_where_it_peaks_and_the_place_written(fmri):
    figure = plot_components(fmri)
    for part, ax in zip(fmri.maps_, maps(figure), strict=True):
        peak = part.where(part == part.max(), drop=True)
        (image,) = ax.images
        assert image.get_array().max() == part.max()
        assert f"z = {peak.z.item():g} mm".replace("-", "−") in [
            text.get_text() for text in ax.texts
        ]


def test_parts_may_share_a_slice_or_be_mosaics_of_those_asked_for(fmri):
    shared = plot_components(fmri, slices="shared")
    assert len({ax.texts[0].get_text() for ax in maps(shared)}) == 1
    assert len(maps(plot_components(fmri, slices="all"))[0].images) == 6
    figure = plot_components(fmri, slices=[0, 20], background=fmri.maps_[0].fillna(0))
    assert len(maps(figure)[0].images) == 4
    figure = plot_components(fmri, slices=0, slice_dim="y", mask=fmri.maps_[0].notnull())
    assert maps(figure)[-1].get_ylabel() == "z [mm]"


def test_orthogonal_cuts_go_through_the_peak_on_one_scale(fmri):
    figure = plot_components(fmri, view="ortho")
    assert len(maps(figure)) == 6
    for part, row in zip(fmri.maps_, np.reshape(maps(figure), (2, 3)), strict=True):
        assert all(ax.images[0].get_array().max() == part.max() for ax in row)
    figure.canvas.draw()
    millimetres = [ax.get_window_extent().width / np.ptp(ax.get_xlim()) for ax in maps(figure)]
    np.testing.assert_allclose(millimetres, millimetres[0], rtol=1e-3)
    with pytest.raises(ValueError, match="view='ortho' cuts volumes"):
        plot_components(fmri.only_a_slice(), view="ortho")


def test_what_the_maps_bring_along_as_background_lies_below_them(fusi):
    model = fusi(2, signs=True)
    assert len(maps(plot_components(model))[0].images) == 1
    mean = model.maps_.isel(component=0, sign=0, drop=True) * 1e4
    model.maps_ = model.maps_.assign_coords(background=mean.variable)
    below, _ = maps(plot_components(model))[0].images
    np.testing.assert_array_equal(below.get_array(), mean.squeeze("z"))
    assert below.cmap.name == "gray"
    assert len(maps(plot_components(model, background=None))[0].images) == 1
    assert len(plot_components(model, components=0, signs="side-by-side").axes) == 4


def test_sides_are_named_where_the_scanner_says_them(fmri):
    about = {"affine": np.eye(4).ravel(), "sform_code": 1, "qform_code": 0}

    def sides(**changed):
        fmri.maps_ = fmri.maps_.assign_coords(grid=((), 0, about | changed))
        ax = maps(plot_components(fmri, components=0))[0]
        return {text.get_text(): text.xy[0] for text in ax.texts if text.get_text() in ("L", "R")}

    assert sides()["L"] < sides()["R"]
    turned = np.diag([-1.0, 1, 1, 1])
    assert sides(affine=turned.ravel())["R"] < sides(affine=turned.ravel())["L"]
    assert not sides(sform_code=0)
    assert not sides(affine=np.eye(4)[[1, 0, 2, 3]].ravel())


def test_a_scale_bar_stands_in_place_of_the_axes(fusi, listed):
    ax = maps(plot_components(fusi(2), scale_bar=True))[-1]
    (bar,) = ax.lines
    length = np.ptp(bar.get_xdata())
    assert f"{length:g} mm" in [text.get_text() for text in ax.texts]
    assert not ax.get_xlabel()
    assert not ax.get_xticks().size
    with pytest.raises(ValueError, match="scale_bar=True needs channel and frequency"):
        plot_components(listed(channel=["a", "b"], frequency=np.arange(5.0)), scale_bar=True)


def test_a_cell_of_a_thousandth_of_the_field_is_the_darkest_thing_on_its_map():
    for seed in range(5):
        rng = np.random.default_rng(seed)
        part = np.abs(rng.normal(0, 1, (200, 200)))
        part[100:108, 60:67] = 10 + rng.normal(0, 1, (8, 7))  # 0.14 % of the field
        image = plot_map(xr.DataArray(part, dims=("y", "x"))).images[0]
        shade = np.asarray(image.norm(part)).clip(0, 1)
        assert shade[100:108, 60:67].mean() > 0.9
        assert np.quantile(np.delete(shade, range(100, 108), 0), 0.99) < 0.35


@pytest.mark.parametrize(
    ("width", "inches", "size"),
    [("single", 3.504, 10), ("single", 3.504, 6), ("double", 7.205, 12), (3.0, 3.0, 7)],
)
def test_words_fit_at_every_width_and_size_of_letters(fusi, width, inches, size):
    with mpl.rc_context({"font.size": size}):
        figure = plot_components(fusi(2, signs=True), width=width)
    assert figure.get_size_inches()[0] == pytest.approx(inches, abs=1e-3)
    found = [*boxes(figure), *(text.get_window_extent() for text in figure.texts)]
    assert all(box.x0 >= -1 and box.x1 <= figure.bbox.width + 1 for box in found)
    for one, other in combinations(found, 2):
        across = min(one.x1, other.x1) - max(one.x0, other.x0)
        up = min(one.y1, other.y1) - max(one.y0, other.y0)
        assert min(across, up) < 2


def test_a_scale_bar_stands_below_the_last_row_alone(fusi):
    figure = plot_components(fusi(3, signs=True), signs="side-by-side", scale_bar=True)
    bars = [[line for line in ax.lines if line.get_label() == "_scale"] for ax in maps(figure)]
    assert [len(lines) for lines in bars] == [0, 0, 0, 0, 1, 1]
    assert not any(len(ax.get_xticks()) or len(ax.get_yticks()) for ax in maps(figure))


@pytest.mark.parametrize("width", ["single", "double", 3.0, 12.0])
def test_cuts_along_three_axes_fit_any_width(fmri, width):
    figure = plot_components(fmri, view="ortho", width=width)
    found = [*boxes(figure), *(text.get_window_extent() for text in figure.texts)]
    assert all(box.x0 >= -1 and box.x1 <= figure.bbox.width + 1 for box in found)
    for one, other in combinations(found, 2):
        across = min(one.x1, other.x1) - max(one.x0, other.x0)
        up = min(one.y1, other.y1) - max(one.y0, other.y0)
        assert min(across, up) < 2


@pytest.mark.parametrize("limits", ["shared", "each"])
@pytest.mark.parametrize("width", ["single", 3.0])
def test_numbers_and_dates_below_a_narrow_figure_do_not_overlap(fusi, width, limits):
    model = fusi(2)
    days = np.datetime64("2024-03-01T23:59:50") + 300 * np.arange(40).astype("timedelta64[ms]")
    model.signals_ = model.signals_.assign_coords(time=days)
    figure = plot_components(model, width=width, limits=limits)
    figure.canvas.draw()
    courses = [ax for ax in figure.axes if ax.lines]
    for ax in (maps(figure)[-1], courses[-1]):
        low, high = ax.get_xlim()
        places = zip(ax.get_xticks(), ax.get_xticklabels(), strict=True)
        found = [text.get_window_extent() for at, text in places if low <= at <= high]
        found += [ax.xaxis.label.get_window_extent()] * bool(ax.get_xlabel())
        found += [ax.xaxis.get_offset_text().get_window_extent()] * bool(
            ax.xaxis.get_offset_text().get_text()
        )
        assert not any(one.overlaps(other) for one, other in combinations(found, 2))


def test_neurons_are_bars_and_frequencies_a_line(listed):
    bars = plot_components(listed(neuron=np.arange(30)))
    assert len(bars.axes) == 6
    assert all(len(ax.patches) == 30 for ax in bars.axes if ax not in traces(bars))
    assert len({ax.get_ylim() for ax in bars.axes if ax not in traces(bars)}) == 1
    assert bars.axes[-2].get_ylabel() == "weight"
    line = plot_components(listed(frequency=np.arange(20.0)))
    assert len(line.axes[0].lines) == 1
    assert line.axes[-2].get_xlabel() == "frequency"


def test_names_of_features_stay_on_the_page(listed):
    muscles = ["gastrocnemius", "tibialis anterior", "rectus femoris", "TFL"]
    figure = plot_components(listed(muscle=muscles))
    last = figure.axes[-2]
    assert [text.get_text() for text in last.get_xticklabels()] == muscles
    assert min(box.y0 for box in boxes(figure)) >= 0


def test_bars_of_two_signs_have_a_line_at_zero(listed):
    model = listed(neuron=np.arange(30))
    model.maps_ = model.maps_ - 0.5
    low, high = plot_components(model).axes[0].get_ylim()
    assert low < 0 < high


def test_other_pairs_of_dimensions_are_images(listed):
    model = listed(channel=["Fz", "Cz", "a long name"], frequency=np.arange(5.0))
    figure = plot_components(model)
    panel = maps(figure)[-1]
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("frequency", "channel")
    assert panel.images[0].get_array().shape == (3, 5)
    assert min(box.x0 for box in boxes(figure)) >= 0


def test_a_single_feature_and_features_without_labels_are_drawn(listed):
    model = listed(neuron=[4])
    assert len(plot_components(model).axes[0].patches) == 1
    model.maps_ = model.maps_.isel(neuron=0, drop=True)
    assert len(plot_components(model).axes[0].patches) == 1
    model = listed(neuron=np.arange(9))
    model.maps_ = model.maps_.drop_vars("neuron")
    assert len(plot_components(model).axes[0].patches) == 9


def test_small_shares_are_not_said_to_be_nothing(fusi):
    model = fusi(2)
    model.energy_[1] = 2e-4
    assert "< 0.1 %" in traces(plot_components(model))[1].get_title(loc="left")


def test_dark_theme_colours_the_page_and_leaves_settings_alone(fusi):
    before = dict(mpl.rcParams)
    figure = plot_components(fusi(1), theme="dark")
    assert to_hex(figure.get_facecolor()) == "#101216"
    assert dict(mpl.rcParams) == before


def test_a_style_with_automatic_layout_does_not_move_panels(fusi, recwarn):
    with mpl.rc_context({"figure.constrained_layout.use": True}):
        figure = plot_components(fusi(1))
        figure.canvas.draw()
    assert figure.get_layout_engine() is None
    assert not recwarn.list


def test_figures_are_known_to_pyplot_and_closed_by_it(fusi):
    figure = plot_components(fusi(1))
    assert plt.get_fignums() == [figure.number]
    plt.close(figure)
    assert not plt.get_fignums()


def test_a_notebook_shows_the_figure_once(fusi, monkeypatch):
    figure = plot_components(fusi(1))
    assert isinstance(figure, NotebookFigure)
    assert figure._repr_mimebundle_(include=None, exclude=None) == {}
    assert plt.get_fignums()
    monkeypatch.setattr(plt, "get_backend", lambda: "module://matplotlib_inline.backend_inline")
    figure._repr_mimebundle_(include=None, exclude=None)
    assert not plt.get_fignums()


def test_the_first_figure_of_a_session_leaves_the_backend_its_settings(fusi):
    code = (
        "import partita.plotting, sys; assert 'matplotlib' not in sys.modules\n"
        "from partita.plotting import plot_signals; import xarray as xr, matplotlib as mpl\n"
        "mpl.use('Agg'); import matplotlib.pyplot as plt; made = plt.figure\n"
        "def wake(*a, **k): mpl.rcParams['interactive'] = True; return made(*a, **k)\n"
        "plt.figure = wake\n"
        "plot_signals(xr.DataArray([[0.0], [1.0]], dims=('time', 'component')))\n"
        "assert mpl.rcParams['interactive']"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_model_before_its_fit_is_refused():
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError, match=r"was given NMF before its fit.*model\.fit"):
        plot_components(partita.NMF())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"components": [12]}, "There is no component 12. Known: 0, 1, 2"),
        ({"signs": "both"}, "signs must be 'merged' or 'side-by-side', and was 'both'"),
        ({"limits": "own"}, "limits must be 'shared' or 'each', and was 'own'"),
        ({"width": 2}, "width must be 3 inches or more"),
        ({"width": "broad"}, "'double' .183 mm.; given: 'broad'"),
        ({"view": "glass"}, "view must be 'slices' or 'ortho', and was 'glass'"),
        ({"background": "mean"}, "background must be a DataArray, 'auto' or None; given: 'mean'"),
        ({"vmin": 2, "vmax": 1}, "vmin must lie below vmax"),
        ({"vmax": np.inf}, "vmax must be a finite number"),
        ({"cmap": "glass"}, "There is no colour map 'glass'"),
        ({"threshold": "a"}, "threshold must be 0 or above"),
        ({"components": []}, "No component was asked for"),
        ({"theme": "sepia"}, "There is no theme 'sepia'"),
        ({"slices": 44}, "There is no slice at z = 44 mm"),
    ],
)
def test_unknown_choices_are_refused_with_the_known(fusi, options, message):
    with pytest.raises(ValueError, match=message):
        plot_components(fusi(3), **options)
    assert not plt.get_fignums()


def test_what_is_no_model_is_refused(fusi):
    with pytest.raises(TypeError, match=r"needs a fitted model.*given DataArray.*plot_map"):
        plot_components(fusi().maps_)
    with pytest.raises(TypeError, match="given NMF"):
        plot_components(partita.NMF)


def test_a_mask_with_other_coordinates_is_refused(fusi):
    model = fusi(2)
    mask = (model.maps_[0] > 0).assign_coords(x=model.maps_.x + 10)
    with pytest.raises(ValueError, match="The mask lies on another grid"):
        plot_components(model, mask=mask)


def test_the_room_names_what_it_has():
    assert set(dir(partita.plotting)) >= {"plot_components", "plot_map", "plot_signals"}
    with pytest.raises(AttributeError, match=r"partita\.plotting.*plot_everything"):
        partita.plotting.plot_everything  # noqa: B018
