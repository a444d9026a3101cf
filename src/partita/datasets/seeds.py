"""Seeds: one random state in, independent generators out."""

from __future__ import annotations

import numpy as np

from partita._labels.numbers import is_whole

Seed = int | np.random.Generator | np.random.RandomState | None


def spawn_generators(random_state: Seed, count: int) -> list[np.random.Generator]:
    """Return independent generators, so that changing one ingredient leaves the others alone."""
    if isinstance(random_state, np.random.RandomState):
        random_state = int(random_state.randint(2**31 - 1))
    return np.random.default_rng(random_state).spawn(count)


def seed_words(random_state: Seed) -> int | str | None:
    """Return what a line of history says of a seed: a number, or what kind of thing it was."""
    if random_state is None or is_whole(random_state):
        return None if random_state is None else int(random_state)
    return type(random_state).__name__
