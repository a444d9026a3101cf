import numpy as np
import pytest
import xarray as xr

import partita

SIGNALS = xr.DataArray(
    [[0.1, 2.0], [np.nan, 1 / 3]],
    dims=("time", "component"),
    coords={"time": ("time", [0.0, 0.3], {"units": "s"}), "component": [0, 2]},
)


@pytest.mark.parametrize("suffix", ["tsv", "csv"])
def test_signals_come_back_from_a_table(tmp_path, suffix) -> None:
    path = tmp_path / "new" / f"signals.{suffix}"
    assert partita.save(SIGNALS, path) == [path]
    assert path.read_text().splitlines()[0].replace(",", "\t") == "time\tcomponent_0\tcomponent_2"
    xr.testing.assert_equal(partita.load(path), SIGNALS)


def test_names_of_columns_are_the_labels(tmp_path) -> None:
    rates = SIGNALS.rename(component="neuron")
    partita.save(rates.assign_coords(neuron=["AVA", "RIM"]), tmp_path / "a.tsv")
    assert partita.load(tmp_path / "a.tsv").feature.values.tolist() == ["AVA", "RIM"]
    partita.save(rates, tmp_path / "b.tsv")
    assert partita.load(tmp_path / "b.tsv").feature.values.tolist() == ["neuron_0", "neuron_2"]
    partita.save(rates.isel(neuron=0, drop=True).rename("dvars"), tmp_path / "c.tsv")
    assert partita.load(tmp_path / "c.tsv").feature.values.tolist() == ["dvars"]


def test_times_are_written_in_seconds_and_mere_numbers_not_at_all(tmp_path) -> None:
    in_ms = SIGNALS.assign_coords(time=("time", [0, 300], {"units": "ms"}))
    partita.save(in_ms, tmp_path / "a.tsv")
    np.testing.assert_allclose(partita.load(tmp_path / "a.tsv").time, [0, 0.3])
    numbered = SIGNALS.assign_coords(time=("time", [0, 1], {"units": "1"}))
    partita.save(numbered, tmp_path / "b.tsv")
    with pytest.warns(UserWarning, match="no column is named 'time'"):
        assert partita.load(tmp_path / "b.tsv").time.attrs["units"] == "1"


def test_what_a_table_cannot_hold_is_refused_or_said(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"holds rows over 'time'.*Save it as a\.nc"):
        partita.save(SIGNALS.expand_dims("session"), tmp_path / "a.tsv")
    with pytest.raises(ValueError, match="need names that differ"):
        partita.save(SIGNALS.assign_coords(component=["a", "a"]), tmp_path / "a.tsv")
    with pytest.raises(ValueError, match="needs times in seconds"):
        partita.save(SIGNALS.assign_coords(time=["one", "two"]), tmp_path / "a.tsv")
    with pytest.raises(ValueError, match="has no chunks"):
        partita.save(SIGNALS, tmp_path / "a.tsv", chunks=2)
    with pytest.warns(UserWarning, match=r"leaves the coordinates 'run' out of a\.tsv"):
        partita.save(SIGNALS.assign_coords(run=("time", [1, 1])), tmp_path / "a.tsv")


def test_another_file_is_not_replaced_and_one_of_these_columns_is(tmp_path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("subject,age\n1,30\n")
    with pytest.raises(FileExistsError, match="was not written by Partita"):
        partita.save(SIGNALS, path)
    partita.save(SIGNALS, path, overwrite=True)
    partita.save(2 * SIGNALS, path)
    assert partita.load(path)[0, 0] == 0.2
