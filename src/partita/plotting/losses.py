"""Draw how a fit came down, and how far from the end it is certified to be."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from partita.plotting.parts import require_fitted
from partita.plotting.sheets import open_page
from partita.plotting.style import Theme, choose_theme, dress

Array = np.ndarray[Any, Any]


class Descent(NamedTuple):
    """The way down: the objective above its lowest, %, at each iteration; and its certificate.

    `left` is how much further it could fall, %; NaN where the model does not know.
    """

    iteration: Array
    above: Array
    left: float
    words: str


def plot_losses(
    model: Any,
    *,
    ax: Axes | None = None,
    title: str | None = None,
    theme: Literal["light", "dark"] | None = None,
) -> Axes:
    """Draw the way down of a fit, and the certificate of where it ended.

    The line is the objective after each iteration, in percent above its lowest value, on a
    logarithmic axis; the lowest itself has no place there. Dashed is how much further the objective
    could fall by changing the maps alone or the signals alone: the fit is at its end where the line
    has come down to it, and a line that is still above by orders of magnitude wants `max_iter`. The
    title says whether the fit converged, and its residual beside `tol`.

    Parameters
    ----------
    model : fitted estimator
        With ``losses_`` (iteration) and, where it has them, ``optimality_``, ``converged_`` and
        ``tol``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    title : str, optional
        In place of what is said of the end.
    theme : {"light", "dark"}, optional
        "light" by default; on given axes as suits their page.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.

    Raises
    ------
    TypeError
        If `model` is no model, or one that has no iterations, as `PCA`.
    sklearn.exceptions.NotFittedError
        If it has not been fitted.

    Examples
    --------
    >>> nmf = partita.NMF(n_components=3, random_state=0).fit(partita.datasets.load_sample())
    >>> ax = partita.plotting.plot_losses(nmf)
    >>> ax.get_ylabel()
    'objective above its lowest [%]'
    """
    descent = _descent_of(model)
    chosen = choose_theme(theme, ax=ax)
    axes = _new_axes(chosen) if ax is None else ax
    with rc_context(chosen.rc):
        dress(axes, chosen)
        _draw(axes, descent, theme=chosen)
        axes.set_title(
            descent.words if title is None else title,
            fontsize=chosen.letters.title, color=chosen.ink, loc="left",
        )  # fmt: skip
    return axes


def _descent_of(model: Any) -> Descent:
    require_fitted(model, caller="plot_losses")
    losses = getattr(model, "losses_", None)
    if losses is None:
        raise TypeError(
            f"plot_losses draws losses_, the objective after each iteration, and "
            f"{type(model).__name__} has none. How much it explains is in explained_."
        )
    values = np.asarray(losses.values, dtype=float)
    lowest = float(values.min())
    certificate = getattr(model, "optimality_", None)
    left = np.nan if certificate is None else float(certificate["possible_decrease"].max())
    above = 100 * (values - lowest) / (abs(lowest) or 1.0)
    return Descent(losses["iteration"].values, above, 100 * left, _end_in_words(model, certificate))


def _end_in_words(model: Any, certificate: Any) -> str:
    """Return ``"converged after 40 iterations: residual 8.0e-04, tol 1.0e-03"``."""
    count = model.losses_.sizes["iteration"]
    ended = {True: "converged after", False: "not converged after", None: "ended after"}
    known = getattr(model, "converged_", None)
    words = f"{ended[known if known is None else bool(known)]} {count} iteration"
    words += "s" if count != 1 else ""
    if certificate is None:
        return words
    tol = getattr(model, "tol", None)
    residual = f"{words}: residual {np.hypot(*certificate['residual'].values):.1e}"
    return residual if tol is None else f"{residual}, tol {tol:.1e}"


def _draw(ax: Axes, descent: Descent, *, theme: Theme) -> None:
    there = descent.above > 0
    ax.plot(
        descent.iteration[there], descent.above[there], color=theme.lines[0], linewidth=1.1,
        marker="o", markersize=3,
    )  # fmt: skip
    if descent.left > 0:
        ax.axhline(descent.left, color=theme.faint, linewidth=0.9, linestyle="--", label="_left")
        ax.annotate(
            f"could still fall: {descent.left:.1e} %", (1, descent.left),
            xycoords=ax.get_yaxis_transform(), xytext=(0, 3), textcoords="offset points",
            ha="right", va="bottom", fontsize=theme.letters.tick, color=theme.ink,
        )  # fmt: skip
    if there.any() or descent.left > 0:
        ax.set_yscale("log")
    ends = descent.iteration[[0, -1]].astype(float)
    ax.set_xlim(ends[0] - 0.5, ends[1] + 0.5)
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    ax.margins(y=0.15)
    ax.set_xlabel("iteration")
    ax.set_ylabel("objective above its lowest [%]")


def _new_axes(theme: Theme) -> Axes:
    return open_page(5.0, 2.8, colour=theme.page, layout="constrained").add_subplot()
