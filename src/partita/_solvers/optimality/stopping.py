"""When a fit ends: nothing more to gain, and a certificate that holds.

The rounds of a fit estimate its residual on their way. Most of them extrapolate, and the residual
of a point ahead is several times that of the answer, so that it alone never ends some fits: once
the loss is flat, the answer itself is looked at now and then.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

# A look took 0.7 to 0.9 of a round, so that looks this many rounds apart cost at most a fifth.
APART = 4
# On seven recordings, with weights and under Kullback-Leibler, the certificate held at 1e-3 after
# 10 to 65 rounds; five rounds lowered the loss by less than _FLAT of that 2 to 26 rounds later.
_ROUNDS, _FLAT, _STILL = 5, 5e-3, 5e-4
# Of the aim, for the residual of a point ahead: with half and twice of it, sixteen fits with
# weights, under Kullback-Leibler and from random factors end within 0.6 % of as many rounds.
_NEAR = 0.5
_TIGHTEN = 0.7  # a residual falls with the root of what is left to gain: by this while that halves


class Rule(NamedTuple):
    """When a fit ends.

    Parameters
    ----------
    aim : float
        Residual to reach: the tolerance, and less after a certificate that did not hold.
    floor : float
        Misfit below which rounding decides, in the units of the losses.
    flatness : float
        How much flatter than at first the loss is to be.
    """

    aim: float
    floor: float
    flatness: float = 1.0

    def is_near(self, losses: Sequence[float]) -> bool:
        """Say whether so little is gained by now that the residual decides."""
        return bool(losses) and (self._is_rounding(losses[-1]) or self._is_flat(losses, _FLAT))

    def ends(self, residual: float, losses: Sequence[float], *, ahead: bool) -> bool:
        """Say whether the certificate is to decide.

        Parameters
        ----------
        residual : float
            As the last round estimated it.
        losses : sequence of float
            After each round so far.
        ahead : bool
            Whether the residual is that of an extrapolated point: it must be well within the aim,
            or within it with nothing more to gain.

        Returns
        -------
        bool
        """
        if self._is_rounding(losses[-1]):
            return residual <= self.aim
        if residual <= (_NEAR * self.aim if ahead else self.aim):
            return self._is_flat(losses, _FLAT)
        return residual <= self.aim and self._is_flat(losses, _STILL)

    def tightened(self, residual: float = math.inf) -> Rule:
        """Return the rule for going on where an estimate was within the aim, and misled."""
        return self._replace(aim=_TIGHTEN * min(self.aim, residual))

    def flattened(self) -> Rule:
        """Return the rule for going on where the loss was flat, and that misled."""
        return self._replace(flatness=_TIGHTEN * self.flatness)

    def _is_rounding(self, loss: float) -> bool:
        """Say whether what the loss does now is rounding."""
        return 2 * loss <= self.floor**2

    def _is_flat(self, losses: Sequence[float], share: float) -> bool:
        """Say whether the last rounds lowered the loss by less than `share` of the aim."""
        recent = losses[-1 - _ROUNDS :]
        least = 0.5 * self.floor**2
        enough = share * self.flatness * self.aim * max(recent[-1], least)
        return len(recent) > _ROUNDS and recent[0] - recent[-1] <= enough
