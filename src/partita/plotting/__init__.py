"""Figures of maps, signals and components; matplotlib is imported when the first is drawn."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from partita.plotting.components import plot_components
    from partita.plotting.maps import plot_map
    from partita.plotting.motion import plot_motion
    from partita.plotting.signals import plot_signals

__all__ = ["plot_components", "plot_map", "plot_motion", "plot_signals"]

_HOMES = {
    "plot_components": "components",
    "plot_map": "maps",
    "plot_motion": "motion",
    "plot_signals": "signals",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
