"""Labels of every kind come back from a store, or are refused before anything is written."""

from __future__ import annotations

import datetime
import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import partita

NAMES = np.array(["a", "?", "b"])
KINDS = {
    "categories": pd.Categorical(["a", "b", "a"]),
    "whole numbers or missing": pd.array([1, None, 3], dtype="Int64"),
    "truth or missing": pd.array([True, None, False], dtype="boolean"),
    "numbers or missing": pd.array([1.5, None, 3], dtype="Float64"),
    "intervals": pd.interval_range(0, 3),
    "text": NAMES,
    "text of any length": NAMES.astype(np.dtypes.StringDType()),
    "text or nothing": np.array(["a", None, ""], object),
    "text or NaN": np.array(["a", np.nan, ""], object),
    "anything": np.array([None, 1, (1, "a")], object),
    "bytes": np.array([b"a", b"b", b"\xff"]),
    "datetimes": pd.date_range("2020", periods=3).values,
    "durations": pd.timedelta_range("1s", periods=3).values,
    "days": np.array([datetime.date(2020, 1, day) for day in (1, 2, 3)], object),
    "complex numbers": np.array([1j, 2, 3]),
    "long numbers": np.array([1, 2, 3], np.longdouble),
}


def recording() -> xr.DataArray:
    return xr.DataArray(
        np.arange(24.0).reshape(4, 3, 2),
        {"time": [0.0, 0.5, 1.0, 1.5], "y": [0.0, 1.0, 2.0], "x": [0, 1]},
        ("time", "y", "x"),
        name="power",
    )


def same(found: xr.DataArray, expected: xr.DataArray, name: str) -> None:
    """Compare labels one by one: missing ones of pandas are not equal to themselves."""
    ours, theirs = expected[name], found[name]
    assert theirs.dtype.kind == ours.dtype.kind or {theirs.dtype.kind, ours.dtype.kind} == {*"UT"}
    if ours.dtype.kind in "TM":  # xarray's own reading: text of one length, nanoseconds
        assert theirs.to_index().tolist() == ours.to_index().tolist()
        return
    pd.testing.assert_index_equal(theirs.to_index(), ours.to_index())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
@pytest.mark.parametrize("chunks", [None, "auto"])
def test_labels_of_every_kind_come_back(tmp_path, kind, suffix, chunks) -> None:
    given = recording().assign_coords(label=("y", KINDS[kind], {"long_name": "Label"}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        partita.save(given, tmp_path / f"a{suffix}")
        again = partita.load(tmp_path / f"a{suffix}", chunks=chunks)
    same(again, given, "label")
    assert again["label"].attrs == {"long_name": "Label"}
    assert (again.chunks is None) == (chunks is None)
    xr.testing.assert_identical(again.drop_vars("label").compute(), given.drop_vars("label"))
    along = recording().drop_vars("y").assign_coords(y=KINDS[kind])
    partita.save(along, tmp_path / f"b{suffix}")
    same(partita.load(tmp_path / f"b{suffix}", chunks=chunks), along, "y")


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_several_levels_come_back(tmp_path, suffix) -> None:
    stacked = recording().stack(cell=("y", "x"))
    partita.save(stacked, tmp_path / f"a{suffix}")
    again = partita.load(tmp_path / f"a{suffix}", chunks=None)
    xr.testing.assert_identical(again, stacked)
    xr.testing.assert_identical(again.unstack("cell"), recording())
    runs = recording().assign_coords(run=("time", list("aabb")), t=("time", [0, 1, 0, 1]))
    runs = runs.drop_vars("time").set_index(time=["run", "t"])
    partita.save(runs, tmp_path / f"b{suffix}")
    xr.testing.assert_identical(partita.load(tmp_path / f"b{suffix}", chunks=None), runs)


@pytest.mark.parametrize("suffix", [".nc", ".zarr", ".nii.gz"])
def test_times_of_a_zone_are_told_in_utc(tmp_path, suffix) -> None:
    zoned = pd.date_range("2020-07-01", periods=3, tz="Europe/Berlin")
    given = recording().assign_coords(taken=("y", zoned))
    with pytest.warns(UserWarning, match="writes the times of 'taken' in UTC"):
        partita.save(given, tmp_path / f"a{suffix}")
    again = partita.load(tmp_path / f"a{suffix}", chunks=None)
    assert again["taken"].values[0] == np.datetime64("2020-06-30T22:00")


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
@pytest.mark.parametrize(
    "odd", [pd.period_range("2020", periods=3, freq="D"), np.array([object(), 1, 2], object)]
)
def test_what_no_file_could_hold_is_refused_before_anything_is_written(
    tmp_path, suffix, odd
) -> None:
    path = tmp_path / f"a{suffix}"
    partita.save(recording(), path)
    with pytest.raises(TypeError, match="given labels that no file could hold: coordinate 'label'"):
        partita.save(recording().assign_coords(label=("y", odd)), path)
    xr.testing.assert_identical(partita.load(path, chunks=None), recording())
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


REFUSED_BY_NIFTI = {
    "truth or missing", "intervals", "text or nothing", "text or NaN", "anything", "bytes", "days",
    "complex numbers", "long numbers",
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_nifti_file_keeps_labels_or_refuses_them_in_words(tmp_path, kind) -> None:
    given = recording().assign_coords(label=("y", KINDS[kind]))
    if kind in REFUSED_BY_NIFTI:
        with pytest.raises(ValueError, match=r"which a NIfTI sidecar cannot\. Save it as \.nc"):
            partita.save(given, tmp_path / "a.nii.gz")
        return
    partita.save(given, tmp_path / "a.nii.gz")
    again = partita.load(tmp_path / "a.nii.gz", chunks=None)
    np.testing.assert_array_equal(again["label"].values, given["label"].values)


def dates(*days, calendar="noleap"):
    cftime = pytest.importorskip("cftime")
    return [cftime.datetime(2000, 1, day, 3, 4, 5, 678, calendar=calendar) for day in days]


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
@pytest.mark.parametrize("calendar", ["noleap", "360_day", "julian"])
@pytest.mark.parametrize("attrs", [{}, {"units": "s", "calendar": "ours"}])
def test_dates_of_other_calendars_come_back_identical(tmp_path, suffix, calendar, attrs):
    pytest.importorskip("zarr" if suffix == ".zarr" else "h5netcdf")
    pytest.importorskip("cftime")
    recording = xr.DataArray(np.ones((3, 2)), dims=("time", "x"))
    index = xr.coding.times.decode_cf_datetime(
        [0, 1, 3], "days since 2000-01-01", calendar, use_cftime=True
    )
    recording = recording.assign_coords(time=("time", index, attrs), day=index[0])
    partita.save(recording, tmp_path / f"a{suffix}")
    assert partita.load(tmp_path / f"a{suffix}").identical(recording)


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_dates_of_several_calendars_are_refused_in_words(tmp_path, suffix):
    pytest.importorskip("zarr" if suffix == ".zarr" else "h5netcdf")
    mixed = np.array([*dates(1, 2), *dates(3, calendar="360_day")], object)
    recording = xr.DataArray(np.ones((3, 2)), dims=("time", "x"), coords={"day": ("time", mixed)})
    with pytest.raises(TypeError, match=r"no file could hold.*'day'"):
        partita.save(recording, tmp_path / f"a{suffix}")
