"""What happened, shaded under time courses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.colors import same_color, to_rgb
from matplotlib.dates import date2num

from partita.plotting import plot_components, plot_signals
from partita.plotting.events import during, shades_of
from partita.plotting.style import choose_theme
from partita.plotting.traces import samples_of
from partita.preprocess import estimate_motion

EVENTS = pd.DataFrame(
    {
        "onset": [12.0, 14.0, 16.0, 18.0],
        "duration": [1.0, 1.0, 1.0, 0.0],
        "trial_type": ["house", "face", "house", "cue"],
    }
)


def spans(ax):
    """Return where stretches are shaded, and in which colour."""
    found = [patch for patch in ax.patches if patch.get_height() == 1]
    return [(p.get_x(), p.get_x() + p.get_width(), p.get_facecolor()[:3]) for p in found]


def courses(figure):
    return [ax for ax in figure.axes if ax.get_title(loc="left").startswith("Component")]


def names(legend):
    return {
        text.get_text(): patch.get_facecolor()[:3]
        for text, patch in zip(legend.get_texts(), legend.get_patches(), strict=True)
    }


def test_events_are_shaded_and_named_under_every_course(fusi):
    figure = plot_components(fusi(3), events=EVENTS)
    legend = names(figure.legends[0])
    assert list(legend) == ["house", "face", "cue"]
    for ax in courses(figure):
        house, face, again = sorted(spans(ax), key=lambda span: span[0])[0::1]
        np.testing.assert_allclose([house[:2], face[:2], again[:2]], [[12, 13], [14, 15], [16, 17]])
        assert same_color(house[2], again[2])
        assert same_color(house[2], legend["house"])
        assert not same_color(house[2], face[2])
        assert any(set(line.get_xdata()) == {18.0} for line in ax.lines)
    figure.canvas.draw()
    assert figure.legends[0].get_window_extent().y0 > max(
        ax.get_window_extent().y1 for ax in courses(figure)
    )


@pytest.mark.parametrize("unit", ["ms", "min"])
def test_events_are_in_seconds_whatever_the_unit_of_the_times(fusi, unit):
    length = {"ms": 1e-3, "min": 60.0}[unit]
    signals = fusi(2).signals_
    times = signals.time.copy(data=signals.time.values / length).assign_attrs(units=unit)
    ax = plot_signals(signals.assign_coords(time=times), events=EVENTS)
    assert spans(ax)[0][:2] == pytest.approx((12 / length, 13 / length))


def test_events_of_dated_samples_count_from_the_first(fusi):
    start = np.datetime64("2026-05-01T10:00:00", "ns")
    signals = fusi(2).signals_
    elapsed = ((signals.time - signals.time[0]) * 1e9).astype("timedelta64[ns]")
    ax = plot_signals(
        signals.assign_coords(time=start + elapsed.values), events={"onset": [2], "duration": [3]}
    )
    assert spans(ax)[0][0] == pytest.approx(date2num(start + np.timedelta64(2, "s")))


def test_many_kinds_have_a_colour_each(fusi):
    many = pd.DataFrame(
        {"onset": np.linspace(11, 21, 9), "duration": 0.5, "trial_type": list("abcdefghi")}
    )
    figure = plot_components(fusi(1), events=many, width="single")
    assert len({*names(figure.legends[0]).values()}) == 9


def test_a_window_in_time_shows_that_alone(fusi):
    model = fusi(3)
    figure = plot_components(model, times=(12.0, 15.0), events=EVENTS)
    inside = model.signals_.sel(time=slice(12.0, 15.0))
    for ax in courses(figure):
        np.testing.assert_array_equal(ax.lines[-1].get_xdata(), inside.time)
        assert ax.get_xlim() == (inside.time[0], inside.time[-1])
    ax = plot_signals(model.signals_, times=(12.0, 15.0))
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), inside.time)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ((900, 901), "No sample lies between 900 and 901"),
        ((15, 12), "times must be a pair .start, stop."),
        (12, "times must be a pair"),
        ((np.nan, 3), "times must be a pair"),
    ],
)
def test_a_window_without_samples_is_refused(fusi, times, message):
    with pytest.raises(ValueError, match=message):
        plot_components(fusi(2), times=times)
    with pytest.raises(ValueError, match=message):
        plot_signals(fusi(2).signals_, times=times)


def test_events_need_times_that_rise(fusi):
    signals = fusi(2).signals_
    twice = xr.concat([signals, signals], "time")
    for without in (twice, signals.drop_vars("time")):
        with pytest.raises(ValueError, match="places events by the times of the signals"):
            plot_signals(without, events=EVENTS)


def test_raw_courses_stand_behind_the_denoised_at_the_same_height(fusi):
    signals = fusi(2).signals_
    raw = signals + 1.0
    ax = plot_signals(signals, behind=raw)
    behind, front = ax.lines[:2], ax.lines[2:4]
    for thin, line in zip(behind, front, strict=True):
        np.testing.assert_allclose(thin.get_ydata() - line.get_ydata(), 1.0)
        assert same_color(thin.get_color(), line.get_color())
    with pytest.raises(ValueError, match="behind has the sizes"):
        plot_signals(signals, behind=raw[:5])
    with pytest.raises(ValueError, match="behind has other labels along 'time'"):
        plot_signals(signals, behind=raw.assign_coords(time=raw.time + 1))


def test_motion_shows_events_and_a_window(sample_motion):
    from partita.plotting import plot_motion

    figure = plot_motion(sample_motion, events={"onset": [3], "duration": [2]}, times=(2, 6))
    for ax in figure.axes:
        assert spans(ax)[0][:2] == pytest.approx((3, 5))
        assert ax.get_xlim()[0] >= 2
        assert ax.get_xlim()[1] <= 6
    assert list(names(figure.legends[0])) == ["event"]


@pytest.fixture
def sample_motion():
    from partita.datasets import simulate_fusi

    truth = simulate_fusi(n_times=30, shape=(1, 40, 40), motion=0.03, random_state=0)
    return estimate_motion(truth.recording)


@pytest.mark.slow
def test_many_parts_fill_pages(listed):
    model = listed(neuron=[1, 2])
    model.maps_ = model.maps_.isel(component=np.zeros(40, int)).assign_coords(component=range(40))
    model.signals_ = model.signals_[:5].isel(component=np.zeros(40, int))
    model.signals_ = model.signals_.assign_coords(component=range(40))
    model.energy_ = None
    shown = []
    for page in (1, 2, 3):
        figure = plot_components(model, page=page)
        assert figure.get_size_inches()[1] < 25
        assert f"page {page} of 3; turn it with page=" in [text.get_text() for text in figure.texts]
        shown += [ax.get_title(loc="left") for ax in courses(figure)]
    assert shown == [f"Component {number}" for number in range(40)]
    for page in (0, 4, 1.5):
        with pytest.raises(ValueError, match=f"There is no page {page}"):
            plot_components(model, page=page)
    assert plot_signals(model.signals_).figure.get_size_inches()[1] <= 11


def two_runs(session=False, times=None):
    times = np.tile(np.arange(5) * 2.0, 2) if times is None else times
    coords = {"time": ("time", times, {"units": "s"})}
    if session:
        coords["session"] = ("time", ["one"] * 5 + ["two"] * 5)
    return xr.DataArray(np.arange(10.0)[:, None], dims=("time", "component"), coords=coords)


def table(onset, duration, kind="look"):
    return {"onset": ("event", onset), "duration": ("event", duration)} | {
        "trial_type": ("event", [kind] * len(onset))
    }


FIRST, SECOND = (xr.Dataset(table([onset], [4.0])) for onset in (2.0, 6.0))


def spans_of(signals, events, times=None):
    whole = samples_of(signals, "time")
    shades = shades_of(events, whole, theme=choose_theme("light"), caller="plot_signals")
    return during(shades, whole, signals, times).spans


@pytest.mark.parametrize(
    ("session", "events"),
    [(False, [FIRST, SECOND]), (True, [FIRST, SECOND]), (True, {"two": SECOND, "one": FIRST})],
)
def test_the_events_of_each_run_lie_on_its_own_samples(session, events):
    assert sorted(spans_of(two_runs(session), events)["look"]) == [(1.0, 3.0), (8.0, 9.5)]


def test_events_of_runs_with_times_that_go_on_lie_on_those_times():
    signals = two_runs(session=True, times=np.arange(10) * 2.0)
    later = xr.Dataset(table([12.0], [4.0]))
    assert spans_of(signals, [FIRST, later])["look"] == [(2.0, 6.0), (12.0, 16.0)]


def test_events_keep_their_place_where_a_stretch_of_each_run_is_drawn():
    drawn = spans_of(two_runs(), [FIRST, SECOND], times=(2.0, 6.0))["look"]
    assert drawn == [(0.0, 2.0), (5.0, 5.5)]


def test_a_session_without_events_may_be_left_out():
    assert spans_of(two_runs(session=True), {"two": SECOND})["look"] == [(8.0, 9.5)]


@pytest.mark.parametrize(
    ("events", "complaint"),
    [
        ([FIRST], "1 tables of events for 2 runs"),
        ({"three": FIRST}, "events of 'three', and the signals have no such session"),
        (FIRST, "or give the events of each run"),
        ([FIRST, xr.Dataset(table([60.0], [1.0]))], "outside the recording"),
    ],
)
def test_events_that_fit_no_run_are_refused(events, complaint):
    with pytest.raises(ValueError, match=complaint):
        spans_of(two_runs(session=True), events)


def test_runs_without_times_that_rise_are_refused():
    signals = two_runs(session=True, times=np.r_[4.0, 3, 2, 1, 0, 0, 2, 4, 6, 8])
    with pytest.raises(ValueError, match="by the times of each run"):
        spans_of(signals, [FIRST, SECOND])


def test_eight_kinds_have_eight_colours_of_which_none_is_pale():
    kinds = [f"kind {number}" for number in range(8)]
    events = {"onset": np.arange(8.0), "duration": np.ones(8), "trial_type": kinds}
    signals = two_runs(times=np.arange(10.0))
    samples = samples_of(signals, "time")
    shades = shades_of(events, samples, theme=choose_theme("light"), caller="plot_signals")
    colours = [to_rgb(colour) for colour in shades.colours.values()]
    assert len(set(colours)) == 8
    assert max(min(colour) for colour in colours) < 0.55


def test_names_of_components_and_of_events_both_stay_on_the_page(fusi):
    ax = plot_signals(fusi(3).signals_, stacked=False, events=EVENTS)
    ax.figure.canvas.draw()
    legends = [ax.get_legend(), *(one for one in ax.artists if hasattr(one, "get_texts"))]
    assert len(legends) == 2
    assert all(one.get_window_extent().x1 <= ax.figure.bbox.width for one in legends)
