"""Smoothing: Gaussian weights in millimetres over what is there."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import ndimage

from partita.preprocess import smooth

SIGMA = 2 * np.sqrt(2 * np.log(2))


def image(values: np.ndarray, *, spacing: tuple[float, ...] = (0.5, 0.25)) -> xr.DataArray:
    coords = {
        dim: (dim, step * np.arange(n), {"units": "mm"})
        for dim, step, n in zip("yx", spacing, values.shape[-2:], strict=True)
    }
    return xr.DataArray(values, dims=("time", "y", "x")[-values.ndim :], coords=coords)


def test_a_point_becomes_a_gaussian_of_that_width_in_millimetres():
    point = np.zeros((61, 121))
    point[30, 60] = 1
    spread = smooth(image(point), fwhm=3.0)
    half = spread / spread.max()
    assert float(half.sel(y=15 + 1.5, x=15, method="nearest")) == pytest.approx(0.5, rel=1e-6)
    assert float(half.sel(y=15, x=15 - 1.5, method="nearest")) == pytest.approx(0.5, rel=1e-6)
    assert float(spread.sum()) == pytest.approx(1, rel=1e-6)


def test_inside_the_field_it_is_what_scipy_does():
    values = np.random.default_rng(0).standard_normal((3, 40, 60))
    left = smooth(image(values), fwhm={"y": 2.0, "x": 0.5})
    sigmas = (0, 2.0 / 0.5 / SIGMA, 0.5 / 0.25 / SIGMA)
    expected = ndimage.gaussian_filter(values, sigmas)
    inner = (slice(None), slice(8, -8), slice(8, -8))
    np.testing.assert_allclose(left.values[inner], expected[inner], atol=1e-12)


def test_what_is_missing_neither_enters_nor_darkens():
    """Compared with the weighted mean over the voxels that are there, voxel by voxel."""
    rng = np.random.default_rng(0)
    values = rng.standard_normal((2, 7, 9))
    values[0, 2:4, 3:6] = values[1, 5, 0] = values[:, 0, 0] = np.nan
    given = image(values)
    left = smooth(given, fwhm=1.2)
    at = np.stack(np.meshgrid(given.y, given.x, indexing="ij"), axis=-1)
    reach = [int(4 * 1.2 / step / SIGMA + 0.5) * step for step in (0.5, 0.25)]
    for t, i, j in np.ndindex(values.shape):
        apart = at - at[i, j]
        weight = np.exp(-4 * np.log(2) * (apart**2).sum(axis=-1) / 1.2**2)
        weight *= (np.abs(apart) <= np.array(reach) + 1e-9).all(axis=-1)
        weight *= ~np.isnan(values[t])
        expected = np.nansum(weight * values[t]) / weight.sum()
        expected = np.nan if np.isnan(values[t, i, j]) else expected
        np.testing.assert_allclose(left.values[t, i, j], expected, atol=1e-12)


def test_a_constant_stays_what_it_is_up_to_the_border_and_around_holes():
    values = np.full((4, 12, 15), 3.0)
    values[1:, 4:8, 5:9] = np.nan
    left = smooth(image(values), fwhm=2.0)
    np.testing.assert_allclose(left, values, rtol=1e-12)


@pytest.mark.parametrize("chunks", [{"y": 9, "x": 7}, {"time": 1, "y": 20}, {"time": 2, "x": 1}])
def test_blocks_of_space_change_nothing(chunks):
    values = np.random.default_rng(0).standard_normal((3, 40, 30))
    values[:, 10:14, 5:9] = np.nan
    given = image(values)
    left = smooth(given.chunk(chunks), fwhm=1.5)
    np.testing.assert_allclose(left, smooth(given, fwhm=1.5), atol=1e-12)


def test_a_number_is_for_the_dimensions_of_space_that_are_longer_than_one(labelled):
    recording = labelled()[:5, :1]
    left = smooth(recording, fwhm=0.2)
    assert left.attrs["history"].endswith("smooth(fwhm={'y': 0.2, 'x': 0.2})")
    np.testing.assert_allclose(left, smooth(recording, fwhm={"y": 0.2, "x": 0.2, "z": 0.2}))
    np.testing.assert_array_equal(smooth(recording, fwhm=0), recording)


def test_falling_coordinates_are_as_good_as_rising_ones():
    values = np.random.default_rng(0).standard_normal((12, 15))
    given = image(values)
    left = smooth(given[:, ::-1], fwhm=1.0)
    np.testing.assert_allclose(left[:, ::-1], smooth(given, fwhm=1.0), atol=1e-12)


@pytest.mark.parametrize(
    ("change", "fwhm", "message"),
    [
        (lambda r: r, -1.0, "fwhm must be 0 or above along 'y', and was -1.0"),
        (lambda r: r, "wide", "fwhm must be 0 or above along 'y', and was 'wide'"),
        (lambda r: r, {"depth": 1.0}, "finds no dimension depth: the recording has"),
        (lambda r: r, {}, "finds no dimension in fwhm={}"),
        (lambda r: r.rename(y="a", x="b"), 1.0, "finds no dimension z, y, x"),
        (lambda r: r.drop_vars("x"), 1.0, "how far apart voxels are along 'x'"),
        (lambda r: r.assign_coords(x=r.x**2), 1.0, "evenly spaced along 'x'; they lie up to"),
        (lambda r: r.assign_coords(x=0 * r.x), 1.0, "evenly spaced along 'x'; they lie up to inf"),
        (
            lambda r: r.assign_coords(x=r.x.assign_attrs(units="um")),
            1.0,
            r"one width along coordinates in mm, um\. Give one a dimension",
        ),
        (lambda r: r.where(r < 0.99, np.inf), 1.0, "smooth cannot use infinite values: 2 of 108"),
    ],
)
def test_what_cannot_be_smoothed_is_refused(change, fwhm, message):
    given = image(np.linspace(0, 1, 108).reshape(9, 12))
    with pytest.raises(ValueError, match=message):
        smooth(change(given), fwhm=fwhm)


def test_a_gaussian_far_wider_than_the_field_gives_its_mean() -> None:
    image = xr.DataArray([[1.0, 2], [3, np.nan]], {"y": [0.0, 1], "x": [0.0, 1]}, ("y", "x"))
    for given in (image, image.chunk(x=1)):
        found = smooth(given, fwhm=1e9)
        np.testing.assert_allclose(found, [[2, 2], [2, np.nan]])


def test_a_width_that_no_voxel_notices_is_said_to_change_nothing():
    image = xr.DataArray(np.eye(8), {"y": np.arange(8.0), "x": np.arange(8.0)}, ("y", "x"))
    with pytest.warns(UserWarning, match=r"changes nothing: fwhm=0.006 is 0.006 of the distance"):
        same = smooth(image, fwhm=0.006)
    np.testing.assert_allclose(same, image, atol=1e-12)
