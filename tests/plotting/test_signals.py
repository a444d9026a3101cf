"""Signals against time."""

from __future__ import annotations

from itertools import pairwise

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex

from partita.plotting import plot_signals


def traces(ax):
    """Return the lines that are signals."""
    return [line for line in ax.lines if str(line.get_label()).startswith("Component")]


def test_stacked_traces_keep_their_shape_and_one_scale(fusi):
    signals = fusi().signals_
    for line, expected in zip(traces(plot_signals(signals)), signals.values.T, strict=True):
        drawn = line.get_ydata()
        np.testing.assert_allclose(drawn - drawn[0], expected - expected[0])
        np.testing.assert_array_equal(line.get_xdata(), signals.time)


def test_stacked_traces_do_not_touch_and_run_from_the_top(fusi):
    lines = traces(plot_signals(fusi(6).signals_))
    for above, below in pairwise(lines):
        assert above.get_ydata().min() > below.get_ydata().max()


def test_each_trace_is_named_and_time_has_its_units(fusi):
    ax = plot_signals(fusi().signals_)
    names = [text.get_text() for text in ax.get_yticklabels()]
    assert names == ["Component 0", "Component 1", "Component 2"]
    assert ax.get_xlabel() == "Time [s]"


def test_scale_bar_is_as_long_as_it_says(fusi):
    ax = plot_signals(fusi().signals_)
    bar = next(line for line in ax.lines if line.get_label() == "_scale")
    assert ax.texts[0].get_text() == f"{np.ptp(bar.get_ydata()):g} mV"
    plain = plot_signals(fusi().signals_.assign_attrs(units="1"))
    assert plain.texts[0].get_text() == "5"


def test_each_trace_can_have_a_scale_of_its_own(fusi):
    ax = plot_signals(fusi().signals_, limits="each")
    assert [np.ptp(line.get_ydata()) for line in traces(ax)] == pytest.approx([1, 1, 1])
    assert ax.get_ylabel() == "signal [mV], each stretched"
    assert not ax.texts


def test_distance_between_traces_can_be_given(fusi):
    signals = fusi().signals_ * 0
    lines = traces(plot_signals(signals, offset=4.0))
    assert [line.get_ydata()[0] for line in lines] == [0, -4, -8]


def test_a_component_keeps_its_colour_whichever_others_are_drawn(fusi):
    signals = fusi().signals_
    every = traces(plot_signals(signals))
    chosen = traces(plot_signals(signals, components=[2, 0]))
    assert [line.get_label() for line in chosen] == ["Component 2", "Component 0"]
    assert [line.get_color() for line in chosen] == [every[2].get_color(), every[0].get_color()]


def test_unstacked_traces_are_drawn_at_their_values_with_a_legend(fusi):
    signals = fusi(9).signals_
    ax = plot_signals(signals, stacked=False)
    np.testing.assert_array_equal([line.get_ydata() for line in traces(ax)], signals.values.T)
    assert ax.get_ylabel() == "signal [mV]"
    assert len(ax.get_legend().get_texts()) == 9
    looks = {(line.get_color(), line.get_linestyle()) for line in traces(ax)}
    assert len(looks) == 9


def test_lines_are_told_apart_without_colour_vision():
    from partita.plotting.style import THEMES

    for theme in THEMES.values():
        # Luminance alone (Rec. 709), as seen without any cones, differs between most of them.
        grey = [np.dot(mpl.colors.to_rgb(c), (0.21, 0.72, 0.07)) for c in theme.lines]
        assert len(set(theme.lines)) == 7
        assert np.ptp(grey) > 0.3


def test_datetimes_and_durations_make_an_axis(fusi):
    signals = fusi().signals_
    steps = np.arange(40) * np.timedelta64(500, "ms")
    days = signals.assign_coords(time=np.datetime64("2026-03-01T10:00", "ns") + steps)
    ax = plot_signals(days)
    ax.figure.canvas.draw()
    assert ax.get_xlabel() == "time"
    assert "2026" in ax.xaxis.get_offset_text().get_text()
    durations = plot_signals(signals.assign_coords(time=steps))
    assert durations.get_xlabel() == "time [s]"
    assert durations.get_xlim() == (0, 19.5)
    named = signals.assign_coords(time=("time", steps, {"units": "ms"}))
    assert plot_signals(named).get_xlabel() == "time [s]"


def test_concatenated_runs_are_counted_and_their_starts_marked(fusi):
    signals = fusi().signals_.isel(time=np.r_[0:40, 0:40])
    ax = plot_signals(signals)
    assert ax.get_xlim() == (0, 79)
    marks = [line for line in ax.lines if line.get_linestyle() == ":"]
    assert [line.get_xdata()[0] for line in marks] == [39.5]
    assert "new run" in ax.get_xlabel()


def test_samples_without_times_are_counted_or_named(fusi):
    signals = fusi().signals_.isel(time=slice(0, 4))
    assert plot_signals(signals.drop_vars("time")).get_xlabel() == "time (sample)"
    named = signals.rename(time="patient").assign_coords(patient=list("abcd"))
    ax = plot_signals(named)
    assert [text.get_text() for text in ax.get_xticklabels()] == list("abcd")


def test_missing_values_break_the_line_only(fusi):
    signals = fusi().signals_.copy()
    signals[5, 0] = np.nan
    signals[:, 1] = np.nan
    lines = traces(plot_signals(signals))
    assert np.isnan(lines[0].get_ydata()).sum() == 1
    assert np.isfinite(lines[2].get_ydata()).all()


def test_one_signal_alone_is_drawn(fusi):
    ax = plot_signals(fusi().signals_.sel(component=1))
    assert [line.get_label() for line in traces(ax)] == ["Component 1"]


def test_given_axes_are_drawn_on_and_settings_are_untouched(fusi):
    before = dict(mpl.rcParams)
    figure, ax = plt.subplots()
    assert plot_signals(fusi().signals_, ax=ax, theme="dark", title="Signals") is ax
    assert ax.get_title(loc="left") == "Signals"
    assert to_hex(ax.xaxis.label.get_color()) == "#e8e8e8"
    assert plt.get_fignums() == [figure.number]
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize(
    ("change", "options", "error", "message"),
    [
        (lambda s: s.values, {}, TypeError, "plot_signals needs a labelled recording"),
        (
            lambda s: s.expand_dims(run=2),
            {},
            ValueError,
            "needs signals with a dimension of samples",
        ),
        (lambda s: s, {"components": [0, 7]}, ValueError, "no component 7. Known: 0, 1, 2"),
        (lambda s: s, {"components": []}, ValueError, "No component was asked for. Known: 0, 1, 2"),
        (lambda s: s, {"offset": "far"}, ValueError, "offset is a number .* 'far'. Leave it out"),
        (lambda s: s, {"offset": np.nan}, ValueError, "offset is a number .* nan. Leave it out"),
        (lambda s: s, {"limits": "none"}, ValueError, "limits must be 'shared' or 'each'"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_words(fusi, change, options, error, message):
    with pytest.raises(error, match=message):
        plot_signals(change(fusi().signals_), **options)
    assert not plt.get_fignums()
