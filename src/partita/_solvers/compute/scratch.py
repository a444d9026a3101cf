"""Arrays that a thread fills over and over: fresh pages cost more than much work done on them."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Scratch(threading.local):
    """Named arrays of the thread that asks, kept from one piece of work to the next.

    They live as long as the object. What an array held before is still in it.
    """

    def __init__(self) -> None:
        self._held: dict[str, NDArray[Any]] = {}

    def take(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return the array of a name with that shape and dtype, C-contiguous."""
        dtype, count = np.dtype(dtype), int(np.prod(shape))
        held = self._held.get(name)
        if held is None or held.dtype != dtype or held.size < count:
            held = self._held[name] = np.empty(count, dtype)
        return held[:count].reshape(shape)
