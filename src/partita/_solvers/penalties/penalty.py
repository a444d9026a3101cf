"""What a penalty is to a solver: a value, and a quadratic above it for one factor at a time.

Factors lie component by component: W (k, n) holds the signals, H (k, p) the maps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

import numpy as np

from ..compute.types import Array, Floats

Weights = tuple[Array | None, Array | None]
UNWEIGHTED: Weights = (None, None)


class Terms(NamedTuple):
    """A quadratic in one factor x (k, m) that lies above its penalty and touches it.

    ``sum(linear * x + ridge * x**2 / 2) + <x, gram @ x> / 2``: `linear` and `ridge` are (k, 1),
    the same for all entries of a component, or (k, m); `gram` is (k, k) or None. Where samples or
    features are weighted, each entry counts by its weight.
    """

    linear: Floats
    ridge: Floats
    gram: Floats | None = None

    def plus(self, other: Terms) -> Terms:
        """Return the sum of two quadratics."""
        grams = [gram for gram in (self.gram, other.gram) if gram is not None]
        gram = sum(grams[1:], grams[0]) if grams else None
        return Terms(self.linear + other.linear, self.ridge + other.ridge, gram)

    def take(self, where: slice | Array) -> Terms:
        """Return the quadratic of some of the entries of each component."""
        linear = self.linear if self.linear.shape[1] == 1 else self.linear[:, where]
        ridge = self.ridge if self.ridge.shape[1] == 1 else self.ridge[:, where]
        return Terms(linear, ridge, self.gram)

    def slope(self, x: Array) -> Floats:
        """Return the gradient at x (k, m)."""
        slope = self.linear + self.ridge * x
        return np.asarray(slope if self.gram is None else slope + self.gram @ x)

    def value_by_column(self, x: Array) -> Floats:
        """Return the value at x (k, m), column by column."""
        exact = x.astype(np.float64)
        return np.asarray((0.5 * (self.linear + self.slope(exact)) * exact).sum(axis=0))

    def curvature(self) -> Floats:
        """Return the diagonal of the Hessian, (k, 1) or (k, m)."""
        return self.ridge if self.gram is None else self.ridge + np.diag(self.gram)[:, None]


class Extent(NamedTuple):
    """What strengths are measured by: the size of X, its root mean square, and the loss."""

    n: int
    p: int
    rms: float
    beta: float = 2.0


class Penalty(Protocol):
    """A penalty on both factors.

    As a user states it, its strengths are relative to the data; `against` an extent they are
    absolute, and only then does it have a value and terms.
    """

    @property
    def active(self) -> bool:
        """Whether it adds anything."""
        ...

    @property
    def scale_free(self) -> bool:
        """Whether multiplying a map and dividing its signal changes nothing."""
        ...

    @property
    def couples_signals(self) -> bool:
        """Whether the signals of one sample depend on those of others for given maps."""
        ...

    def against(self, extent: Extent) -> Penalty:
        """Return the penalty with the strengths that it has against such data."""
        ...

    def value(self, W: Array, H: Array, weights: Weights = UNWEIGHTED) -> float:
        """Return what it adds to the loss at W (k, n) and H (k, p)."""
        ...

    def majorise(
        self, moving: Array, given: Array, *, signals: bool, weights: Weights = UNWEIGHTED
    ) -> Terms:
        """Return the terms of the factor that moves, at where it stands.

        Parameters
        ----------
        moving, given : ndarray, (k, n) and (k, p), or (k, p) and (k, n)
            The factors.
        signals : bool
            Whether the signals move.
        weights : tuple of ndarray, (n,) and (p,), or None
            Weights of samples and of features.
        """
        ...

    @property
    def turned(self) -> Penalty:
        """The same penalty when X is transposed and the factors change places."""
        ...

    def scaled(self, *, W: float, H: float, loss: float) -> Penalty:
        """Return the penalty in other units: where W, H and the loss are divided by these."""
        ...

    def restricted(self, share: float) -> Penalty:
        """Return the penalty where only such a share of the columns of H is kept."""
        ...


class Together(NamedTuple):
    """The sum of several penalties; of none, no penalty."""

    parts: tuple[Penalty, ...] = ()

    @property
    def active(self) -> bool:
        """Whether any of them adds something."""
        return any(part.active for part in self.parts)

    @property
    def scale_free(self) -> bool:
        """Whether all of them are."""
        return all(part.scale_free for part in self.parts if part.active)

    @property
    def couples_signals(self) -> bool:
        """Whether any of them does."""
        return any(part.couples_signals for part in self.parts if part.active)

    def against(self, extent: Extent) -> Penalty:
        """Measure each by the data."""
        return Together(tuple(part.against(extent) for part in self.parts))

    def value(self, W: Array, H: Array, weights: Weights = UNWEIGHTED) -> float:
        """Return the sum of their values."""
        return sum(part.value(W, H, weights) for part in self.parts if part.active)

    def majorise(
        self, moving: Array, given: Array, *, signals: bool, weights: Weights = UNWEIGHTED
    ) -> Terms:
        """Return the sum of their terms."""
        zero = np.zeros((len(moving), 1))
        total = Terms(zero, zero)
        for part in self.parts:
            if part.active:
                total = total.plus(part.majorise(moving, given, signals=signals, weights=weights))
        return total

    @property
    def turned(self) -> Penalty:
        """Turn each."""
        return Together(tuple(part.turned for part in self.parts))

    def scaled(self, *, W: float, H: float, loss: float) -> Penalty:
        """Scale each."""
        return Together(tuple(part.scaled(W=W, H=H, loss=loss) for part in self.parts))

    def restricted(self, share: float) -> Penalty:
        """Restrict each."""
        return Together(tuple(part.restricted(share) for part in self.parts))


NONE = Together()


def frozen(penalty: Penalty, W: Array, H: Array, weights: Weights = UNWEIGHTED) -> Penalty:
    """Return what is left of a penalty for new signals once the fit has ended at W and H.

    Norms over the samples are those of the fit, so that the signals of a sample depend on no other
    sample: its own terms are those that it had in the fit. What couples neighbours stays as it is.
    """
    kept: list[Penalty] = []
    terms: Terms | None = None
    for part in penalty.parts if isinstance(penalty, Together) else (penalty,):
        if not part.active:
            continue
        if part.couples_signals:
            kept.append(part)
            continue
        own = part.majorise(W, H, signals=True, weights=weights)
        terms = own if terms is None else terms.plus(own)
    return Together((*kept, *(() if terms is None else (Separable(*terms),))))


def for_unit_maps(left: Penalty, order: Array, lengths: Array) -> Penalty:
    """Return what is left of a penalty for maps in another order and divided by their lengths.

    Parameters
    ----------
    left : Penalty
        As `frozen` leaves it.
    order : ndarray of int, (k,)
        The old index of each component.
    lengths : ndarray, (k,)
        Of the old maps; signals were multiplied by them.
    """
    parts = left.parts if isinstance(left, Together) else (left,)
    return Together(
        tuple(
            part.for_unit_maps(order, lengths) if isinstance(part, Separable) else part
            for part in parts
        )
    )


@dataclass(frozen=True)
class Separable:
    """Terms that stand for good: those of the signals after a fit.

    `linear` and `ridge` are (k, 1), `gram` (k, k) or None, as of `Terms`.
    """

    linear: Floats
    ridge: Floats
    gram: Floats | None = None
    active: ClassVar[bool] = True
    scale_free: ClassVar[bool] = False
    couples_signals: ClassVar[bool] = False

    def _terms(self) -> Terms:
        return Terms(self.linear, self.ridge, self.gram)

    def for_unit_maps(self, order: Array, lengths: Array) -> Separable:
        """Return the terms of signals that are multiplied by `lengths` and put into `order`."""
        # A dead component has a map of no length, and nothing to be penalised.
        inverse = np.divide(1.0, lengths, out=np.zeros(len(lengths)), where=lengths > 0)[order]
        gram = None
        if self.gram is not None:
            gram = self.gram[np.ix_(order, order)] * np.outer(inverse, inverse)
        linear, ridge = self.linear[order] * inverse[:, None], self.ridge[order]
        return Separable(linear, ridge * np.square(inverse)[:, None], gram)

    def against(self, extent: Extent) -> Penalty:
        """Return itself: it was measured by the data of the fit."""
        return self

    def value(self, W: Array, H: Array, weights: Weights = UNWEIGHTED) -> float:
        """Return its value for signals W."""
        terms = self._terms()
        weighed = W if weights[0] is None else W * weights[0]
        half = 0.5 * (terms.slope(W) - self.linear)
        return float(np.vdot(weighed.astype(np.float64), self.linear + half))

    def majorise(
        self, moving: Array, given: Array, *, signals: bool, weights: Weights = UNWEIGHTED
    ) -> Terms:
        """Return itself for signals, and nothing for maps."""
        if signals:
            return self._terms()
        zero = np.zeros((len(moving), 1))
        return Terms(zero, zero)

    @property
    def turned(self) -> Penalty:
        """Refuse: a fit has no such penalty."""
        raise NotImplementedError

    def scaled(self, *, W: float, H: float, loss: float) -> Penalty:
        """Return the strengths in other units."""
        gram = None if self.gram is None else self.gram * W**2 / loss
        return Separable(self.linear * W / loss, self.ridge * W**2 / loss, gram)

    def restricted(self, share: float) -> Penalty:
        """Return itself: it is about signals."""
        return self
