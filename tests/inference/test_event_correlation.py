import numpy as np
import pandas as pd
import pytest
import xarray as xr

import partita
from partita.inference import correlate_events
from partita.inference.event_courses import event_course

TIMES = np.arange(0, 200, 0.5)
EVENTS = pd.DataFrame(
    {
        "onset": [10.0, 50, 90, 130, 30, 70, 110],
        "duration": [6.0, 6, 6, 6, 4, 4, 4],
        "trial_type": ["house"] * 4 + ["face"] * 3,
    }
)


def followed(kind: str, lag: float, events=EVENTS, response="boxcar"):
    rows = events[events.trial_type == kind]
    onset, duration = rows.onset.to_numpy(), rows.duration.to_numpy()
    return event_course(onset, duration, step=0.5, response=response)(TIMES - lag)


def signals_of(*columns) -> xr.DataArray:
    return xr.DataArray(
        np.stack(columns, axis=1),
        dims=("time", "component"),
        coords={"time": ("time", TIMES, {"units": "s"}), "component": range(len(columns))},
        attrs={"history": "NMF()"},
    )


def test_each_signal_follows_its_own_kind_at_its_lag() -> None:
    signals = signals_of(3 * followed("house", 0) + 1, followed("face", 2.5), np.ones(TIMES.size))
    found = correlate_events(signals, EVENTS)
    assert found.correlation.dims == ("component", "trial_type")
    assert found.trial_type.values.tolist() == ["house", "face"]
    house, face = (
        found.sel(component=0, trial_type="house"),
        found.sel(component=1, trial_type="face"),
    )
    np.testing.assert_allclose([house.correlation, house.lag], [1, 0], atol=1e-12)
    np.testing.assert_allclose([face.lagged_correlation, face.lag], [1, 2.5], atol=1e-12)
    assert face.correlation < 0.6
    assert np.isnan(found.sel(component=2).to_array()).all()
    assert found.lag.attrs["units"] == "s"
    assert found.attrs["history"].startswith("NMF()\ncorrelate_events(response='boxcar'")


def test_what_falls_while_events_last_is_negative() -> None:
    found = correlate_events(signals_of(-followed("house", 1.5)), EVENTS)
    house = found.sel(component=0, trial_type="house")
    np.testing.assert_allclose([house.lagged_correlation, house.lag], [-1, 1.5], atol=1e-12)


def test_the_response_of_the_blood_is_expected_where_it_is_asked_for() -> None:
    signals = signals_of(followed("house", 0, response="hemodynamic"))
    blood = correlate_events(signals, EVENTS, response="hemodynamic").sel(trial_type="house")
    np.testing.assert_allclose([blood.correlation, blood.lag], [[1], [0]], atol=1e-12)
    box = correlate_events(signals, EVENTS).sel(trial_type="house")
    assert box.correlation < 0.5 < box.lagged_correlation
    assert 3 < box.lag < 7


def test_runs_are_correlated_as_one_whatever_their_means_and_order_of_events() -> None:
    later = EVENTS.assign(onset=EVENTS.onset + 15)
    first, second = signals_of(followed("house", 1)), signals_of(followed("house", 1, later) + 50)
    found = correlate_events([first, second], [EVENTS, later]).sel(trial_type="house")
    np.testing.assert_allclose([found.lagged_correlation, found.lag], [[1], [1]], atol=1e-12)
    joined = xr.concat([first, second], "time").assign_coords(
        session=("time", np.repeat(["b", "a"], TIMES.size))
    )
    xr.testing.assert_allclose(
        correlate_events(joined, [EVENTS, later]).sel(trial_type="house"), found
    )


def test_units_of_time_and_kinds_of_tables_do_not_matter() -> None:
    signals = signals_of(followed("house", 1))
    in_ms = signals.assign_coords(time=("time", TIMES * 1000, {"units": "ms"}))
    as_dataset = xr.Dataset({name: ("event", EVENTS[name].to_numpy()) for name in EVENTS})
    xr.testing.assert_allclose(
        correlate_events(in_ms, as_dataset), correlate_events(signals, EVENTS)
    )


def test_many_samples_are_tried_at_so_many_lags() -> None:
    times = np.arange(0, 60, 0.01)
    signal = ((times >= 13) & (times < 18)).astype(float)
    signals = xr.DataArray(signal[:, None], dims=("time", "neuron"), coords={"time": times})
    found = correlate_events(signals, {"onset": [10.0], "duration": [5.0]})
    np.testing.assert_allclose(found.lag, 3, atol=0.05)
    assert found.lag.dims == ("neuron", "trial_type")


@pytest.mark.parametrize(
    ("signals", "events", "options", "words"),
    [
        (signals_of(TIMES), [EVENTS] * 2, {}, "given 1 runs and 2 tables"),
        (signals_of(TIMES), EVENTS, {"response": "bold"}, "knows the responses 'boxcar', 'hemo"),
        (signals_of(TIMES), EVENTS, {"longest_lag": -1}, "longest_lag"),
        (signals_of(TIMES), EVENTS.assign(onset=EVENTS.onset + 9e3), {}, "lie outside the rec"),
        (signals_of(TIMES), EVENTS.drop(columns="duration"), {}, "'onset' and 'duration'"),
        (signals_of(TIMES * np.nan), EVENTS, {}, r"needs finite signals.*dropna\('time'\)"),
        (signals_of(TIMES).expand_dims("plane"), EVENTS, {}, "one dimension more"),
        (signals_of(TIMES).drop_vars("time"), EVENTS, {}, "time of every sample"),
        ([signals_of(TIMES), signals_of(TIMES, TIMES)], [EVENTS] * 2, {}, "same components"),
        (signals_of(TIMES), {}, {}, "without columns"),
    ],
)
def test_what_cannot_be_correlated_is_refused(signals, events, options, words) -> None:
    with pytest.raises(ValueError, match=words):
        correlate_events(signals, events, **options)


def test_events_outside_are_told() -> None:
    late = EVENTS.assign(onset=EVENTS.onset + 90)
    with pytest.warns(UserWarning, match="1 of 7 events lie outside"):
        correlate_events(signals_of(followed("house", 0)), late)


@pytest.mark.realdata
def test_voxels_of_haxby_follow_houses_over_twelve_runs(real_data) -> None:
    lines = (real_data / "fmri/pymvpa_attributes_literal.txt").read_text().splitlines()
    rows = [line.split() for line in lines]
    runs, tables = [], []
    for number in range(12):
        path = real_data / f"fmri/haxby2001_1slice/run{number + 1:03d}.nii.gz"
        run = partita.load(path, frame_rate=1 / 2.5, chunks=None)
        run = partita.preprocess.detrend(run.isel(z=0).astype("float32"))
        runs.append(run.stack(voxel=["y", "x"]).reset_index("voxel"))
        kinds = [kind for kind, of in rows if int(of) == number]
        table = pd.DataFrame({"onset": 2.5 * np.arange(121), "duration": 2.5, "trial_type": kinds})
        tables.append(table[table.trial_type != "rest"])
    found = correlate_events(runs, tables, response="hemodynamic")
    best = found.correlation.sel(trial_type="house").max()
    assert best > 0.45
