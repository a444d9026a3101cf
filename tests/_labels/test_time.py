"""Times count in seconds, whatever the unit or the type in which a recording has them."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from partita._labels.time import (
    from_seconds,
    in_seconds,
    merely_numbered,
    require_seconds,
    sample_times,
    sampling_interval,
    seconds_of,
)

START = np.datetime64("2020-01-01T12:00:00", "ns")


def coordinate_of(times, units=None) -> xr.DataArray:
    return xr.DataArray(times, dims="time", name="time", attrs={"units": units} if units else {})


@pytest.mark.parametrize(
    ("unit", "seconds"),
    [
        ("s", 1.0), ("sec", 1.0), ("seconds", 1.0), (" s ", 1.0),
        ("ms", 1e-3), ("msec", 1e-3), ("millisecond", 1e-3),
        ("us", 1e-6), ("µs", 1e-6), ("μs", 1e-6), ("usec", 1e-6), ("microseconds", 1e-6),
        ("ns", 1e-9), ("nanoseconds", 1e-9),
        ("min", 60.0), ("minute", 60.0), ("minutes", 60.0),
        ("h", 3600.0), ("hr", 3600.0), ("hours", 3600.0),
        ("d", 86400.0), ("days", 86400.0),
    ],
)  # fmt: skip
def test_every_unit_lasts_as_long_as_it_does(unit, seconds):
    assert in_seconds(1, unit) == seconds


@pytest.mark.parametrize("unit", ["hz", "mm", "1", "", "fortnights"])
def test_what_is_no_unit_of_time_has_no_seconds(unit):
    assert in_seconds(1.0, unit) is None


def test_decimal_fractions_of_a_second_are_exact():
    milliseconds = np.arange(100_000.0)
    np.testing.assert_array_equal(
        in_seconds(milliseconds, "ms"), [float(f"{n / 1000:.3f}") for n in range(100_000)]
    )


KINDS = [
    ([0.0, 0.5, 1.0], "s", [0.0, 0.5, 1.0]),
    ([0.0, 500, 1000], "ms", [0.0, 0.5, 1.0]),
    ([0, 1, 2], "min", [0.0, 60, 120]),
    ([0, 1, 2], "minutes", [0.0, 60, 120]),
    ([0.0, 0.5, 1.0], "hours", [0.0, 1800, 3600]),
    ([0.0, 0.5, 1.0], None, [0.0, 0.5, 1.0]),
    (np.array([0, 500, 1000], "timedelta64[ms]"), None, [0.0, 0.5, 1.0]),
    (START + np.array([0, 2], "m8[s]"), None, [0.0, 2]),
]


@pytest.mark.parametrize(("times", "units", "expected"), KINDS)
def test_times_are_read_in_seconds(times, units, expected):
    coordinate = coordinate_of(times, units)
    np.testing.assert_array_equal(require_seconds(coordinate, caller="f"), expected)
    np.testing.assert_array_equal(seconds_of(coordinate), expected)


@pytest.mark.parametrize(("times", "units", "expected"), KINDS)
def test_seconds_go_back_to_the_coordinate_they_came_from(times, units, expected):
    coordinate = coordinate_of(times, units)
    back = from_seconds(np.asarray(expected), like=coordinate)
    np.testing.assert_array_equal(back.values, coordinate.values)
    assert back.attrs == coordinate.attrs


def test_times_that_fall_are_read_and_only_refused_where_they_must_rise():
    runs = coordinate_of([0.0, 1, 2, 0, 1], "min")
    np.testing.assert_array_equal(seconds_of(runs), [0, 60, 120, 0, 60])
    with pytest.raises(ValueError, match=r"sample 3 \(0 s\) follows sample 2 \(120 s\)"):
        require_seconds(runs, caller="f")


@pytest.mark.parametrize(
    ("times", "units"), [(["a", "b"], None), ([0, 1], "1"), ([0, 1], "frames"), ([0, 1], "mm")]
)
def test_what_counts_no_time_has_no_seconds(times, units):
    assert seconds_of(coordinate_of(times, units)) is None


@pytest.mark.parametrize(
    ("times", "units", "message"),
    [
        ([0.0, 1, 1], "s", "sample 2 \\(1 s\\) follows sample 1"),
        ([0.0, 2, 1], "s", "needs times that increase"),
        ([0.0, np.nan, 1], "s", "1 of 3 times are not finite"),
        ([0.0, 1], "fortnights", "does not know the time unit 'fortnights'"),
        ([0, 1], "1", r"merely numbered \(units '1' of 'time'\).*load\(path, frame_rate=30\)"),
        ([0, 1], "frames", r"recording\['time'\]\.values / frame_rate"),
        (["a", "b"], None, "needs numeric times"),
        (np.array(["2020", "NaT"], "M8[ns]"), None, "1 of 2 times are not finite"),
    ],
)
def test_times_without_meaning_are_refused(times, units, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        require_seconds(coordinate_of(times, units), caller="f")


def test_only_numbers_in_no_unit_are_merely_numbered():
    assert merely_numbered(coordinate_of([0, 1], "1"))
    assert not merely_numbered(coordinate_of([0, 1]))
    assert not merely_numbered(coordinate_of(START + np.array([0, 2], "m8[s]"), "1"))


def test_a_recording_without_times_is_refused_with_the_remedy():
    recording = xr.DataArray(np.zeros((5, 2)), dims=("time", "neuron"))
    with pytest.raises(ValueError, match=r"no coordinate 'time'.*np.arange\(5\) / frame_rate"):
        sample_times(recording, sample_dim="time", caller="f")


def test_the_sampling_interval_is_that_of_even_times():
    recording = xr.DataArray(np.zeros(5), {"time": 0.3 * np.arange(5)}, ("time",))
    assert sampling_interval(recording, sample_dim="time", caller="f") == pytest.approx(0.3)
    late = recording.assign_coords(time=[0.0, 0.3, 0.6, 0.95, 1.2])
    with pytest.raises(ValueError, match=r"even sampling.*0.25 to 0.35 s apart.*step=0.3"):
        sampling_interval(late, sample_dim="time", caller="f")
