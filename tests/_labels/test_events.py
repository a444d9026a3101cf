import numpy as np
import pandas as pd
import pytest
import xarray as xr

from partita._labels.events import events_of, require_inside

TABLE = pd.DataFrame(
    {"onset": [1.0, 5.0, 9.0], "duration": [2.0, 0.0, 4.0], "trial_type": ["a", "b", "a"]}
)


@pytest.mark.parametrize(
    "events",
    [
        TABLE,
        TABLE.to_dict("list"),
        xr.Dataset({name: ("event", TABLE[name].to_numpy()) for name in TABLE}),
        xr.Dataset(
            {"onset": ("event", [1000, 5000, 9000], {"units": "ms"})},
            {
                "duration": ("event", [2.0, 0.0, 4.0], {"units": "s"}),
                "trial_type": ("event", ["a", "b", "a"]),
            },
        ),
        TABLE.assign(onset=pd.to_timedelta(TABLE.onset, unit="s")),
    ],
    ids=["DataFrame", "mapping", "Dataset", "milliseconds", "timedeltas"],
)
def test_events_of_any_table_are_seconds(events) -> None:
    found = events_of(events, caller="plot")
    np.testing.assert_allclose(found.ends, [[1, 3], [5, 5], [9, 13]])
    assert found.kinds == ["a", "b"]
    assert found.trial_type == ["a", "b", "a"]


def test_events_without_kinds_are_events() -> None:
    assert events_of(TABLE[["onset", "duration"]], caller="plot").kinds == ["event"]


def test_unknown_durations_are_instants_and_said_so() -> None:
    with pytest.warns(UserWarning, match="durations of 1 of 3 events are not known"):
        found = events_of(TABLE.assign(duration=[2, np.nan, 4]), caller="plot")
    assert found.duration.tolist() == [2, 0, 4]


@pytest.mark.parametrize(
    ("events", "message"),
    [
        (
            TABLE.drop(columns="duration"),
            "plot needs events with the columns 'onset' and 'duration'",
        ),
        (
            TABLE.assign(onset=[1, np.nan, 3]),
            "plot needs an onset for every event; that of event 1",
        ),
        (TABLE.assign(duration=[1, 2, -3]), "durations of 0 or more; that of event 2 is -3 s"),
        (
            TABLE.assign(onset=["a", "b", "c"]),
            "plot needs numbers in seconds in the column 'onset'",
        ),
        (xr.Dataset({"onset": ("time", [1.0])}), "events over the dimension 'event'"),
    ],
)
def test_tables_that_are_no_events_are_refused(events, message) -> None:
    with pytest.raises(ValueError, match=message):
        events_of(events, caller="plot")


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(TypeError, match=r"plot needs events as .* given: list"):
        events_of([1, 2], caller="plot")


def test_events_beside_the_recording_are_told_and_of_another_are_refused() -> None:
    found = events_of(TABLE, caller="plot")
    require_inside(found, np.arange(20.0), caller="plot")
    with pytest.warns(UserWarning, match="2 of 3 events lie outside the recording"):
        require_inside(found, np.arange(4.0), caller="plot")
    with pytest.raises(ValueError, match=r"3 of 3 events lie outside.*in ms or in frames"):
        require_inside(found, np.arange(100.0, 200.0), caller="plot")
