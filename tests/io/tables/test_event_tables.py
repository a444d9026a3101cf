import json

import numpy as np
import pytest

import partita
from partita._labels.events import events_of

ROWS = "onset\tduration\ttrial_type\tresponse\n2\t10\thouse\t0.5\n14\tn/a\tn/a\tn/a\n"


def written(path, text: str):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_events_have_the_names_of_their_columns(tmp_path) -> None:
    events = partita.load_events(written(tmp_path / "sub-01_events.tsv", ROWS))
    assert dict(events.sizes) == {"event": 2}
    assert events.trial_type.values.tolist() == ["house", "n/a"]
    np.testing.assert_array_equal(events.onset, [2, 14])
    np.testing.assert_array_equal(events.duration, [10, np.nan])
    np.testing.assert_array_equal(events.response, [0.5, np.nan])
    assert events.onset.attrs["units"] == "s"


def test_whatever_takes_events_takes_them(tmp_path) -> None:
    events = partita.load_events(written(tmp_path / "a.csv", "onset,duration\n1,2\n"))
    np.testing.assert_array_equal(events_of(events, caller="plot").ends, [[1, 3]])


def test_a_sidecar_up_the_tree_says_the_units(tmp_path) -> None:
    path = written(tmp_path / "sub-01" / "func" / "sub-01_task-look_events.tsv", ROWS)
    about = {"onset": {"Units": "ms"}, "response": {"Units": "s", "LongName": "Response time"}}
    written(tmp_path / "task-look_events.json", json.dumps(about))
    events = partita.load_events(path)
    np.testing.assert_allclose(events.onset, [0.002, 0.014])
    assert events.response.attrs == {"long_name": "Response time", "units": "s"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("onset,trial_type\n1,a\n", r"no column 'duration'; it has 'onset', 'trial_type'"),
        ("onset,duration\n1,2\nn/a,2\n", "onset nan in line 3"),
        ("onset,duration\n1,2\nlater,2\n", "'later' as onset in line 3"),
        ("onset,duration\n5,-1\n", "duration -1 in line 2"),
        ("1,2,a\n3,4,b\n", "no column 'onset' and no 'duration'"),
    ],
)
def test_what_is_no_table_of_events_is_refused(tmp_path, text, words) -> None:
    with pytest.raises(ValueError, match=words):
        partita.load_events(written(tmp_path / "a.csv", text))


def test_units_that_are_none_of_time_are_refused(tmp_path) -> None:
    path = written(tmp_path / "a.tsv", ROWS)
    written(tmp_path / "a.json", '{"duration": {"Units": "mV"}}')
    with pytest.raises(ValueError, match=r"duration of .* is in 'mV' by its sidecar"):
        partita.load_events(path)
    with pytest.raises(FileNotFoundError, match="There is no file"):
        partita.load_events(tmp_path / "b.tsv")
