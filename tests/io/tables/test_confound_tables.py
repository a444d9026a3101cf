import numpy as np
import pytest
import xarray as xr

import partita

ROWS = (
    "trans_x\ttrans_y\trot_x\tdvars\tnote\n"
    "0.1\t0.2\t0\tn/a\tfine\n0.3\t0.1\t0.1\t1.5\tfine\n0.2\t0.5\t0.3\t1.2\tfine\n"
)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "sub-01_desc-confounds_timeseries.tsv"
    path.write_text(ROWS, encoding="utf-8")
    return path


def test_names_and_patterns_choose_each_column_once(path) -> None:
    confounds = partita.load_confounds(path, ["dvars", "trans_?", "trans_x"])
    assert confounds.dims == ("time", "confound")
    assert confounds.confound.values.tolist() == ["dvars", "trans_x", "trans_y"]
    assert partita.load_confounds(path, "rot_*").confound.values.tolist() == ["rot_x"]
    assert partita.load_confounds(path).sizes["confound"] == 4


def test_first_rows_without_a_value_have_the_first_that_is_known(path) -> None:
    np.testing.assert_array_equal(
        partita.load_confounds(path, "dvars").squeeze("confound"), [1.5, 1.5, 1.2]
    )


def test_confounds_are_regressed_out_of_a_recording_by_position(path) -> None:
    confounds = partita.load_confounds(path, ["trans_x"])
    recording = xr.DataArray(
        confounds.values * [[1.0, 2.0]], dims=("time", "neuron"), coords={"time": [0.0, 2.0, 4.0]}
    )
    clean = partita.preprocess.regress_out(recording, confounds)
    np.testing.assert_allclose(clean - clean.mean("time"), 0, atol=1e-12)


def test_a_column_of_times_is_the_coordinate(tmp_path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("time,x\n0,1\n2,3\n")
    confounds = partita.load_confounds(path)
    np.testing.assert_array_equal(confounds.time, [0, 2])
    assert confounds.confound.values.tolist() == ["x"]


def test_a_column_that_is_not_there_is_refused_with_those_near(path) -> None:
    with pytest.raises(ValueError, match=r"no column 'trans_z'\. Near it are: 'trans_"):
        partita.load_confounds(path, ["trans_z"])
    with pytest.raises(ValueError, match=r"'note' of .* holds words"):
        partita.load_confounds(path, ["note"])
    with pytest.raises(ValueError, match="takes names or patterns as text"):
        partita.load_confounds(path, [1])


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["1", "n/a", "2"], "has a gap in line 3"),
        (["n/a", "n/a", "n/a"], "holds no value"),
    ],
)
def test_gaps_further_down_are_refused(tmp_path, cells, words) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x,y\n" + "".join(f"{cell},1\n" for cell in cells))
    with pytest.raises(ValueError, match=words):
        partita.load_confounds(path, "x")


def test_a_table_of_words_alone_is_refused(tmp_path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x\none\ntwo\n")
    with pytest.raises(ValueError, match="no column of numbers: x"):
        partita.load_confounds(path)
