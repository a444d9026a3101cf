"""The laws that every function of preprocess keeps, whatever it does to a recording.

A row is data: the function, a small recording with a known structure, and parameters. What a
function does otherwise than the rest stands in its row, in the words of its docstring where it is
there to be read.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pytest
import xarray as xr

from partita import preprocess

N_TIMES = 60
NOTHING: Mapping[str, Any] = MappingProxyType({})


@cache
def _brain() -> xr.DataArray:
    """Draw a bright oval on dark ground, its halves on two courses, with every kind of label."""
    rng = np.random.default_rng(5)
    time, z, y, x = 2.0 * np.arange(N_TIMES), np.arange(2), np.arange(8), np.arange(7)
    oval = ((y[:, None] - 3.5) / 3.6) ** 2 + ((x - 3) / 3.1) ** 2 < 1
    slow, fast = np.sin(2 * np.pi * time / 80), np.sin(2 * np.pi * time / 9)
    course = np.where(x < 3, slow[:, None], fast[:, None])[:, None, None, :]
    values = 100 + oval * (900 + 60 * course + 20 * z[:, None, None])
    values = values + 3 * rng.standard_normal(values.shape) + 0.1 * time[:, None, None, None]
    return xr.DataArray(
        values,
        dims=("time", "z", "y", "x"),
        coords={
            "time": ("time", time, {"units": "s", "long_name": "Time"}),
            "z": ("z", 0.4 * z, {"units": "mm"}),
            "y": ("y", 0.1 * y, {"units": "mm", "long_name": "Depth"}),
            "x": ("x", -0.1 * x, {"units": "mm"}),
            "run": ("time", np.repeat(["a", "b"], N_TIMES // 2), {"long_name": "Run"}),
            "slice_time": (("time", "z"), np.add.outer(time, [0.0, 0.2])),
            "area": (("y", "x"), np.arange(56).reshape(8, 7), {"source": "atlas"}),
            "grid": ((), 0, {"affine": np.eye(4).ravel(), "qform_code": 1}),
            "subject": ((), "S1", {"long_name": "Subject"}),
        },
        name="power",
        attrs={"units": "a.u.", "long_name": "Power", "history": "load()", "session": "1"},
    )


def brain() -> xr.DataArray:
    return _brain().copy(deep=True)


def signed() -> xr.DataArray:
    recording = brain()
    return recording.copy(data=recording.values - 500)


def split() -> xr.DataArray:
    return preprocess.split_sign(signed())


@cache
def _moving() -> xr.DataArray:
    """Draw blobs in a plane that drifts by up to two voxels."""
    rng = np.random.default_rng(4)
    frame, y, x = np.arange(24), np.arange(20), np.arange(18)
    places, heights = rng.uniform(-2, 22, (30, 2)), rng.uniform(20, 100, 30)
    down, right = 2 * np.sin(frame / 5), 1.5 * np.cos(frame / 7)
    rows = y - down[:, None] - places[:, 0, None, None]
    columns = x - right[:, None] - places[:, 1, None, None]
    drawn = np.exp(-(rows[..., :, None] ** 2 + columns[..., None, :] ** 2) / 8)
    values = np.tensordot(heights, drawn, 1)
    coords = (
        _brain()
        .isel(time=slice(24), z=0, y=0, x=0)
        .drop_vars(["z", "y", "x", "area", "slice_time"])
        .coords
    )
    return xr.DataArray(
        values,
        dims=("time", "y", "x"),
        coords={
            **coords,
            "y": ("y", 0.1 * y, {"units": "mm", "long_name": "Depth"}),
            "x": ("x", -0.1 * x, {"units": "mm"}),
            "area": (("y", "x"), np.arange(360).reshape(20, 18), {"source": "atlas"}),
        },
        name="power",
        attrs=_brain().attrs,
    )


def moving() -> xr.DataArray:
    return _moving().copy(deep=True)


@cache
def motion() -> xr.Dataset:
    return preprocess.estimate_motion(_moving())


def confounds() -> xr.DataArray:
    values = np.random.default_rng(8).standard_normal((N_TIMES, 3))
    return xr.DataArray(values, dims=("time", "confound"))


def frames() -> xr.DataArray:
    return xr.DataArray(np.arange(N_TIMES) % 11 == 5, dims="time")


def outside() -> xr.DataArray:
    return _brain().isel(time=0, drop=True) < 500


def atlas() -> xr.DataArray:
    plane = _brain().isel(time=0, z=0, drop=True).reset_coords(drop=True)
    return plane.copy(data=np.arange(56).reshape(8, 7) % 3)


class Row(NamedTuple):
    """A call that every law is tried on."""

    recording: Callable[[], xr.DataArray] = brain
    parameters: Mapping[str, Any] = NOTHING  # a function gives an array
    computes: str = ""  # what the docstring says where the answer does not stay lazy
    dtypes: Mapping[str, str] = NOTHING  # what has the same type whatever the recording's
    units: str | None = "a.u."
    promotes: bool = True  # integers, to what it works in
    same_times: bool = True
    same_order: bool = True
    same_attrs: bool = True
    unsigned: bool = True
    takes_mean: bool = False


MASK = Row(
    computes="computed when the function is called",
    dtypes={"mask": "bool"},
    units=None,
    same_attrs=False,
)
OF_FRAMES = ("translation", "rotation", "affine", "similarity", "framewise_displacement")
ROWS = {
    "apply_motion": Row(moving, {"motion": motion}),
    "bandpass": Row(parameters={"lowcut": 0.02, "highcut": 0.1, "order": 2}, takes_mean=True),
    "brain_mask": MASK,
    "censor": Row(parameters={"frames": frames}, same_times=False, promotes=False),
    "censor, interpolated": Row(parameters={"frames": frames, "how": "interpolate"}),
    "censor, interpolated by splines": Row(
        parameters={"frames": frames, "how": "interpolate", "interpolation": "cubic"}
    ),
    "compcor": Row(
        parameters={"mask": outside, "n_components": 2},
        computes="are read into memory",
        units="1",
        same_attrs=False,
    ),
    "delta_f_over_f": Row(units="1", takes_mean=True),
    "delta_f_over_f, with its baseline": Row(
        parameters={"baseline": "percentile", "return_baseline": True}, units="1", takes_mean=True
    ),
    "detrend": Row(parameters={"order": 2}, takes_mean=True),
    "detrend, cosine": Row(parameters={"drift": "cosine", "longest_period": 60, "keep_mean": True}),
    "dvars": Row(computes="in memory", units="%", same_attrs=False),
    "estimate_baseline": Row(),
    "estimate_motion": Row(
        moving,
        computes="The recording is read twice",
        dtypes=dict.fromkeys(OF_FRAMES, "float64")
        | dict.fromkeys(("converged", "suspect"), "bool"),
        same_attrs=False,
    ),
    "highpass": Row(parameters={"cutoff": 0.02, "order": 2, "keep_mean": True}),
    "intensity_mask": MASK,
    "lowpass": Row(parameters={"cutoff": 0.1}),
    "merge_sign": Row(split),
    "rectify": Row(signed),
    "region_means": Row(parameters={"labels": atlas}),
    "register": Row(moving, {"transform": "translation"}),
    "regress_out": Row(parameters={"confounds": confounds}, takes_mean=True),
    "resample_time, coarser": Row(parameters={"step": 4.0}, same_times=False),
    "resample_time, finer": Row(
        parameters={"rate": 0.7, "interpolation": "linear"}, same_times=False
    ),
    "smooth": Row(parameters={"fwhm": 0.25}),
    "split_sign": Row(signed, same_order=False, unsigned=False),
    "temporal_mean": Row(computes="in memory"),
    "tsnr": Row(computes="in memory", units="1"),
    "zscore": Row(units="1", takes_mean=True),
}
NAMES = {title: title.split(",")[0] for title in ROWS}
SAMPLES = {
    title: "sample_dim" in inspect.signature(getattr(preprocess, name)).parameters
    for title, name in NAMES.items()
}

every_row = pytest.mark.parametrize("title", ROWS)


def beside(title: str) -> dict[str, Any]:
    """Return the parameters of a row, arrays made."""
    given = ROWS[title].parameters.items()
    return {name: value() if callable(value) else value for name, value in given}


def call(title: str, recording: xr.DataArray, **parameters: Any) -> Any:
    return getattr(preprocess, NAMES[title])(recording, **beside(title) | parameters)


@cache
def answer(title: str) -> Any:
    """Return the answer to the recording as it is drawn, for tests that only look at it."""
    return call(title, ROWS[title].recording())


@cache
def answer_to_whole_numbers(title: str, dtype: str, positive: bool) -> Any:
    return call(title, whole_numbers(title, positive=positive).astype(dtype))


def arrays(result: Any) -> dict[str, xr.DataArray]:
    """Return every array of an answer by its name: one, several, or those of a Dataset."""
    if isinstance(result, xr.Dataset):
        return {str(name): array for name, array in result.data_vars.items()}
    several = result if isinstance(result, tuple) else (result,)
    return {f"{array.name}{place or ''}": array for place, array in enumerate(several)}


def whole_numbers(title: str, *, positive: bool) -> xr.DataArray:
    """Return the recording of a row in values that every integer type holds."""
    recording = ROWS[title].recording()
    values = recording.values.round()
    return recording.copy(data=abs(values) if positive else values)


def assert_agree(result: Any, expected: Any, *, tolerance: float = 1e-9) -> None:
    """Compare values whatever the order of dimensions, relative to the largest."""
    found = arrays(result)
    assert set(found) == set(arrays(expected))
    for name, wanted in arrays(expected).items():
        values = wanted.values.astype(float)
        largest = np.abs(values[np.isfinite(values)]).max()
        np.testing.assert_allclose(
            found[name].transpose(*wanted.dims).values.astype(float),
            values,
            rtol=0,
            atol=tolerance * largest,
            err_msg=name,
        )


def test_no_public_function_lacks_a_row():
    assert set(NAMES.values()) == set(preprocess.__all__)


@every_row
def test_what_is_given_is_untouched(title):
    recording, given = ROWS[title].recording(), beside(title)
    before = recording.copy(deep=True)
    arrays_before = {
        name: value.copy(deep=True) for name, value in given.items() if hasattr(value, "dims")
    }
    call(title, recording, **given)
    xr.testing.assert_identical(recording, before)
    for name, value in arrays_before.items():
        xr.testing.assert_identical(given[name], value)


@every_row
def test_every_label_that_has_a_place_in_the_answer_is_kept_with_its_attributes(title):
    recording = ROWS[title].recording()
    for array in arrays(answer(title)).values():
        for key, coord in recording.coords.items():
            if not set(coord.dims) <= set(array.dims):
                continue
            found, wanted = array.coords[key].variable, coord.variable
            if "time" in coord.dims and not ROWS[title].same_times:
                found, wanted = found[:0], wanted[:0]
            xr.testing.assert_identical(found, wanted)


@every_row
def test_a_mean_that_is_taken_away_is_left_as_background_over_space(title):
    recording, row = ROWS[title].recording(), ROWS[title]
    first = next(iter(arrays(answer(title)).values()))
    assert ("background" in first.coords) is row.takes_mean
    if row.takes_mean:
        found = first["background"]
        xr.testing.assert_allclose(
            found.reset_coords(drop=True),
            recording.mean("time", keep_attrs=False).reset_coords(drop=True),
        )
        assert found.attrs == {"units": "a.u.", "long_name": "Power (mean over time)"}


@every_row
def test_a_background_that_is_there_stays(title):
    recording = ROWS[title].recording()
    image = recording.isel(time=3, drop=True).reset_coords(drop=True).assign_attrs(units="T1")
    result = call(title, recording.assign_coords(background=image))
    for array in arrays(result).values():
        if set(image.dims) <= set(array.dims):
            xr.testing.assert_identical(array["background"].variable, image.variable)


@every_row
def test_one_line_is_added_to_the_history(title):
    recording, result = ROWS[title].recording(), answer(title)
    for found in result if isinstance(result, tuple) else (result,):
        before, line = found.attrs["history"].rsplit("\n", 1)
        assert before == recording.attrs["history"]
        assert line.startswith(f"{NAMES[title]}(")
    bare = call(title, recording.drop_attrs(deep=False))
    for found in bare if isinstance(bare, tuple) else (bare,):
        assert found.attrs["history"] == line


@every_row
def test_a_recording_keeps_its_name_and_attributes_and_units_follow_its_values(title):
    row, recording, result = ROWS[title], ROWS[title].recording(), answer(title)
    if isinstance(result, xr.Dataset):
        assert result["reference"].attrs["units"] == row.units
        return
    first = result[0] if isinstance(result, tuple) else result
    assert first.attrs.get("units") == row.units
    if row.same_attrs:
        assert first.name == recording.name
        assert first.attrs["session"] == recording.attrs["session"]


@every_row
@pytest.mark.parametrize("turn", [-1, 1, 2])
def test_any_order_of_dimensions_gives_the_same_answer(title, turn):
    recording = ROWS[title].recording()
    order = recording.dims[::-1] if turn < 0 else recording.dims[turn:] + recording.dims[:turn]
    expected, result = answer(title), call(title, recording.transpose(*order))
    assert_agree(result, expected)
    if ROWS[title].same_order and not isinstance(result, xr.Dataset):
        for array in arrays(result).values():
            kept = [dim for dim in order if dim in array.dims]
            assert [dim for dim in array.dims if dim in order] == kept


CHUNKS = {
    "time": {"time": 7},
    "space": {"y": 3, "x": 4},
    "both": {"time": 11, "x": 5},
    "one": {},
}


@every_row
@pytest.mark.parametrize("cut", CHUNKS)
def test_any_chunking_gives_the_same_answer_and_lazy_in_is_lazy_out(title, cut):
    recording, expected = ROWS[title].recording(), answer(title)
    if cut == "both":
        recording = recording.transpose(..., "time", transpose_coords=False)
    result = call(title, recording.chunk(CHUNKS[cut]))
    lazy = not ROWS[title].computes
    for name, array in arrays(result).items():
        wanted = arrays(expected)[name]
        assert (array.chunks is not None) is lazy
        assert array.dtype == array.compute().dtype == wanted.dtype
        assert array.attrs == wanted.attrs
        found, kept = (a.coords.to_dataset().compute() for a in (array, wanted))
        if "background" in kept.coords:  # a sum over chunks
            xr.testing.assert_allclose(found["background"], kept["background"], rtol=1e-12)
            kept = kept.assign_coords(background=found["background"])
        xr.testing.assert_identical(found, kept)
    assert_agree(result, expected)


@pytest.mark.parametrize("title", [title for title in ROWS if ROWS[title].computes])
def test_what_computes_says_so(title):
    words = " ".join(inspect.getdoc(getattr(preprocess, NAMES[title])).split())
    assert ROWS[title].computes in words


@every_row
def test_samples_may_have_another_name_than_time(title):
    recording = ROWS[title].recording()
    given = {
        name: value.rename(time="frame") if "time" in getattr(value, "dims", ()) else value
        for name, value in beside(title).items()
    }
    named = {"sample_dim": "frame"} if SAMPLES[title] else {}
    result = call(title, recording.rename(time="frame"), **given, **named)
    for name, array in arrays(answer(title)).items():
        back = arrays(result)[name]
        back = back.rename(frame="time") if "frame" in back.dims else back
        xr.testing.assert_equal(back, array)


@pytest.mark.slow
@every_row
@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("float32", "float32"),
        (">f4", "float32"),
        ("float64", "float64"),
        ("int16", "float32"),
        ("uint16", "float32"),
        ("int32", "float64"),
    ],
)
def test_precision_is_kept_and_integers_are_promoted(title, given, kept):
    row, positive = ROWS[title], given.startswith("u")
    if positive and not row.unsigned:
        return
    recording = whole_numbers(title, positive=positive)
    result = call(title, recording.astype(given))
    for name, array in arrays(result).items():
        assert array.dtype == row.dtypes.get(name, kept if row.promotes else given), name
    lazy = arrays(call(title, recording.astype(given).chunk(time=30)))
    assert [array.dtype for array in lazy.values()] == [a.dtype for a in arrays(result).values()]
    assert_agree(result, answer_to_whole_numbers(title, kept, positive), tolerance=1e-6)
    assert_agree(result, answer_to_whole_numbers(title, "float64", positive), tolerance=2e-4)


@every_row
@pytest.mark.parametrize("units", ["ms", "min", "timedelta64[ns]", "datetime64[ns]"])
def test_seconds_are_seconds_however_time_is_written(title, units):
    recording = ROWS[title].recording()
    seconds = recording["time"].values
    if units.endswith("[ns]"):
        ticks = (seconds * 1e9).astype(np.int64).view(units)
        written = ("time", ticks, {"long_name": "Time"})
    else:
        written = ("time", seconds * {"ms": 1e3, "min": 1 / 60}[units], {"units": units})
    given = {
        name: value.assign_coords(time=written) if "time" in getattr(value, "coords", ()) else value
        for name, value in beside(title).items()
    }
    result = call(title, recording.assign_coords(time=written), **given)
    assert_agree(result, answer(title))


@every_row
def test_what_is_no_recording_of_numbers_is_refused_by_name(title):
    recording = ROWS[title].recording()
    for bad in (recording.values, recording.to_dataset(), recording > 500, recording * 1j):
        with pytest.raises(TypeError, match=f"{NAMES[title]} needs"):
            call(title, bad)
