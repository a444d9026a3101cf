import numpy as np
import pytest
import xarray as xr

import partita
from partita.io.tables.table_reading import read_numbers

ROWS = "time,a,b\n0,1,2\n0.5,3,4\n1,5,6\n"


def written(path, text: str, encoding: str = "utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_columns_beside_the_time_are_features(tmp_path, suffix) -> None:
    text = ROWS.replace(",", "\t") if suffix == "tsv" else ROWS
    recording = partita.load(written(tmp_path / f"emg.{suffix}", text))
    assert recording.dims == ("time", "feature")
    assert recording.feature.values.tolist() == ["a", "b"]
    np.testing.assert_array_equal(recording.time, [0, 0.5, 1])
    assert recording.time.attrs["units"] == "s"
    np.testing.assert_array_equal(recording, [[1, 2], [3, 4], [5, 6]])


def test_dims_names_what_the_columns_are(tmp_path) -> None:
    path = written(tmp_path / "emg.csv", ROWS)
    assert partita.load(path, dims=("time", "muscle")).muscle.values.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match=r"dims names 3 axes.*dims=\('time', 'muscle'\)"):
        partita.load(path, dims=("time", "y", "x"))


def test_rows_may_be_something_else_than_samples(tmp_path) -> None:
    path = written(tmp_path / "counts.csv", "mutation,one,two\nC>A,3,4\nC>T,5,6\n")
    counts = partita.load(path, dims=("mutation", "genome"))
    assert counts.sel(mutation="C>T", genome="two") == 6
    with pytest.raises(ValueError, match=r"frame_rate was given, and the rows .* are 'mutation'"):
        partita.load(path, dims=("mutation", "genome"), frame_rate=2)


def test_a_rate_stands_for_times_and_goes_before_them(tmp_path) -> None:
    path = written(tmp_path / "emg.csv", ROWS)
    np.testing.assert_allclose(partita.load(path, frame_rate=10).time, [0, 0.1, 0.2])
    bare = written(tmp_path / "bare.csv", "a,b\n1,2\n3,4\n")
    np.testing.assert_allclose(partita.load(bare, frame_rate=10).time, [0, 0.1])
    with pytest.warns(UserWarning, match=r"no column is named 'time'.*frame_rate=30"):
        assert partita.load(bare).time.attrs["units"] == "1"


@pytest.mark.parametrize("name", ["Time [ms]", "time (ms)"])
def test_times_in_another_unit_are_seconds(tmp_path, name) -> None:
    path = written(tmp_path / "emg.csv", ROWS.replace("time", name))
    np.testing.assert_allclose(partita.load(path).time, [0, 0.0005, 0.001])


def test_gaps_are_missing_values_and_counted_columns_numbers(tmp_path) -> None:
    path = written(tmp_path / "rates.csv", "time,0,1\n0,1,n/a\n1,,2\n")
    recording = partita.load(path)
    assert recording.feature.values.tolist() == [0, 1]
    np.testing.assert_array_equal(recording, [[1, np.nan], [np.nan, 2]])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_marks_of_an_encoding_and_ends_of_lines_are_no_matter(tmp_path, encoding) -> None:
    path = written(tmp_path / "emg.csv", ROWS.replace("\n", "\r\n"), encoding)
    np.testing.assert_array_equal(partita.load(path), [[1, 2], [3, 4], [5, 6]])


def test_semicolons_and_decimal_commas_are_read(tmp_path) -> None:
    path = written(tmp_path / "emg.csv", "time;a;b\n0,5;1,25;2\n1,5;3;4\n")
    recording = partita.load(path)
    np.testing.assert_array_equal(recording, [[1.25, 2], [3, 4]])
    np.testing.assert_array_equal(recording.time, [0.5, 1.5])


def test_chunks_cut_a_table(tmp_path) -> None:
    path = written(tmp_path / "emg.csv", ROWS)
    assert partita.load(path).chunks is None
    assert partita.load(path, chunks=2).chunks == ((2, 1), (2,))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("time,a,label\n0,1,rest\n1,2,rest\n", "words in 'label', the first in line 2.*'rest'"),
        ("onset,duration,trial_type\n0,1,house\n", r"partita\.load_events\(path\)"),
        ("0.5,1.5\n1,2\n", "first line of .* holds numbers"),
        (",a\n0,1\n", "no name for column 1.*index=False"),
        ("time,a,a\n0,1,2\n", "several columns of one name: 'a'"),
        ("time,Time,a\n0,1,2\n", "several columns of times"),
        ("time (V),a\n0,1\n", "no unit of time"),
        ("time,a\n0,1\n,2\n", "no time in 1 of 2 rows, the first in line 3"),
        ("time,a\nnow,1\n1,2\n", "words in 'time', the first in line 2"),
        ("time,a,b\n0,1,2\n1,2\n", "Line 3 of .* has 2 of 3 cells.*cut short"),
        ("time,a\n0,1\n1,2,3\n", "rows of different lengths"),
        ("time,a,b\n0,1\n", "3 names in its first line and 2 cells"),
        ("time,a\n", "no rows below its first line"),
        ("time\n0\n1\n", "nothing beside them"),
    ],
)
def test_what_is_no_table_of_numbers_is_refused_by_line(tmp_path, text, words) -> None:
    with pytest.raises(ValueError, match=words):
        partita.load(written(tmp_path / "odd.csv", text))


def test_another_encoding_is_refused_with_the_remedy(tmp_path) -> None:
    path = written(tmp_path / "odd.csv", "time,µV\n0,1\n", "latin-1")
    with pytest.raises(ValueError, match=r"not in UTF-8 \(line 1 has the byte 0xb5\).*latin-1"):
        read_numbers(path)


@pytest.mark.realdata
def test_muscles_of_a_walker_are_read(real_data) -> None:
    recording = partita.load(real_data / "emg/raw_walking_ID0012.csv", dims=("time", "muscle"))
    assert dict(recording.sizes) == {"time": 7618, "muscle": 13}
    assert recording.muscle.values[0] == "ME"


@pytest.mark.realdata
def test_traces_padded_with_nan_are_read(real_data) -> None:
    traces = partita.load(real_data / "spikes/4.train.calcium.csv", frame_rate=100)
    assert traces.feature.values.tolist() == [0, 1, 2, 3, 4, 5]
    assert np.isfinite(traces.isel(time=0)).all()


def test_a_table_is_told_how_to_become_a_recording() -> None:
    table = xr.DataArray([[1.0, 2.0]], dims=("time", "feature")).to_pandas()
    with pytest.raises(TypeError, match=r"xr\.DataArray\(table, dims=\('time', 'feature'\)\)"):
        partita.NMF(1).fit(table)
    with pytest.raises(TypeError, match=r"xr\.DataArray\(table\.set_index\('time'\), dims="):
        partita.NMF(1).fit(table.assign(time=0.0))
