"""The way down of a fit."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from sklearn.exceptions import NotFittedError

import partita
from partita.plotting import plot_losses


@pytest.fixture
def descending(fusi):
    """Return a maker of a model that came down these losses."""

    def make(losses, **more):
        model = fusi(2)
        model.losses_ = xr.DataArray(
            losses, dims="iteration", coords={"iteration": np.arange(1, len(losses) + 1)}
        )
        for name, value in more.items():
            setattr(model, name, value)
        return model

    return make


def certificate(residual, left):
    return xr.Dataset(
        {"residual": ("factor", [residual, 0.0]), "possible_decrease": ("factor", [0.0, left])}
    )


def test_the_way_down_is_drawn_above_its_lowest(descending):
    ax = plot_losses(descending([8.0, 5.0, 4.0]))
    line = ax.lines[0]
    np.testing.assert_allclose(line.get_xydata(), [[1, 100.0], [2, 25.0]])
    assert ax.get_yscale() == "log"
    assert ax.get_xlabel() == "iteration"


def test_the_certificate_is_drawn_and_said(descending):
    model = descending(
        [8.0, 5.0, 4.0], optimality_=certificate(8e-4, 3e-6), converged_=True, tol=1e-3
    )
    ax = plot_losses(model)
    assert ax.get_title(loc="left") == "converged after 3 iterations: residual 8.0e-04, tol 1.0e-03"
    assert ax.lines[1].get_ydata() == pytest.approx([3e-4, 3e-4])
    assert [text.get_text() for text in ax.texts] == ["could still fall: 3.0e-04 %"]
    model.converged_ = False
    assert plot_losses(model).get_title(loc="left").startswith("not converged after 3 iterations")


def test_the_residual_is_that_of_both_factors_which_tol_is_compared_with(descending):
    model = descending([4.0, 3.0], optimality_=certificate(3e-3, 1e-5), tol=1e-3)
    model.optimality_["residual"][:] = [3e-3, 4e-3]
    assert "residual 5.0e-03" in plot_losses(model).get_title(loc="left")


def test_one_iteration_and_an_objective_of_zero_are_drawn(descending):
    for losses in ([4.0], [0.0], [4.0, 0.0]):
        ax = plot_losses(descending(losses))
        ax.figure.canvas.draw()
        assert f"ended after {len(losses)} iteration" in ax.get_title(loc="left")
    assert ax.lines[0].get_ydata() == [400.0]


def test_a_fit_is_drawn_on_given_axes_in_their_theme():
    recording = partita.datasets.load_sample()
    model = partita.NMF(n_components=2, random_state=0).fit(recording)
    ax = plt.figure(facecolor="black").add_subplot()
    assert plot_losses(model, ax=ax, title="NMF") is ax
    assert ax.get_title(loc="left") == "NMF"
    assert len(ax.lines) == 2


def test_what_has_no_way_down_is_refused(fusi):
    with pytest.raises(TypeError, match=r"plot_losses draws losses_, .* and Fitted has none"):
        plot_losses(fusi(2))
    with pytest.raises(NotFittedError, match="plot_losses was given NMF before its fit"):
        plot_losses(partita.NMF())
    with pytest.raises(TypeError, match="plot_losses needs a fitted model"):
        plot_losses([1.0, 0.5])
