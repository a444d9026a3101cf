"""A warning names the line of whoever called, however deep it is said."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import xarray as xr
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import partita
from partita._labels.warn import warn

RECORDING = xr.DataArray(
    np.random.default_rng(0).random((20, 4, 3)), dims=("time", "y", "x"), attrs={"units": "1"}
)


def said(job) -> list[warnings.WarningMessage]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        job()
    return caught


def unsettled(**more):
    return partita.NMF(3, tol=1e-9, max_iter=1, random_state=0, **more)


@pytest.mark.parametrize(
    "job",
    [
        lambda: unsettled().fit(RECORDING),
        lambda: unsettled().fit_transform(RECORDING),
        lambda: unsettled().fit_sessions([RECORDING, RECORDING], n_passes=None),
        lambda: make_pipeline(FunctionTransformer(), unsettled()).fit(RECORDING),
        lambda: partita.FastICA(3, tol=1e-12, max_iter=1, random_state=0).fit(RECORDING),
        lambda: RECORDING.pipe(unsettled().fit),
    ],
    ids=["fit", "fit_transform", "fit_sessions", "pipeline", "FastICA", "pipe"],
)
def test_a_fit_that_has_not_converged_points_at_the_line_that_asked_for_it(job) -> None:
    places = [w.filename for w in said(job) if w.category is ConvergenceWarning]
    assert places == [__file__]


def test_what_is_said_here_is_said_of_this_line() -> None:
    (one,) = said(lambda: warn("careful"))
    assert one.filename == __file__
    assert one.category is UserWarning
    assert str(one.message) == "careful"
