"""Every kind of decomposition, known by its name from where it is defined: files name their model.

What is asked of an estimator beside its own methods is data on its class (see `Decomposition`):
whatever needs a list of estimators reads it here.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any
from weakref import WeakSet

from partita._version import __version__

_KINDS: dict[str, type[Any]] = {}
_ALL: WeakSet[type[Any]] = WeakSet()  # those too that a later one of the same name has replaced
_ROOM = "partita.decomposition"


def register(kind: type[Any]) -> None:
    """Know a class by its name; one that is defined again takes the place of the one before.

    Raises
    ------
    TypeError
        If it bears the name of one of Partita's own and is not.
    """
    known = _KINDS.get(kind.__name__)
    if known is not None and _is_own(known) and not _is_own(kind):
        raise TypeError(
            f"{kind.__name__} is an estimator of Partita, and a file names the class of its model. "
            f"Give {kind.__module__}.{kind.__qualname__} another name."
        )
    _KINDS[kind.__name__] = kind
    _ALL.add(kind)


def estimators() -> dict[str, type[Any]]:
    """Return Partita's own estimators by name; their modules are imported."""
    room = importlib.import_module(_ROOM)
    for name in room.__all__:
        getattr(room, name)
    return {name: kind for name, kind in sorted(_KINDS.items()) if _is_own(kind) and _stands(kind)}


def is_estimator(thing: object) -> bool:
    """Tell whether a thing is an estimator, Partita's or a user's own."""
    return any(isinstance(thing, kind) for kind in _ALL)


def find(name: str, *, module: str, version: str, source: str) -> type[Any]:
    """Return the class that a file names.

    Parameters
    ----------
    name, module : str
        The class, and where it was defined.
    version : str
        Of the Partita that wrote the file.
    source : str
        The file, for the message.

    Raises
    ------
    ValueError
        If no such class is defined here.
    """
    room: Any = importlib.import_module(_ROOM)
    if name not in _KINDS and name in room.__all__:
        getattr(room, name)
    if name in _KINDS:
        return _KINDS[name]
    if module.partition(".")[0] == "partita":
        remedy = f"written by Partita {version}; this is {__version__}. Update Partita to open it."
    else:
        remedy = f"which {module} defines. Import that module first, then load the model."
    raise ValueError(f"{source} holds a model of class {name!r}, {remedy}")


def _stands(kind: type) -> bool:
    """Tell whether a class is in the module that it names; one of an example there is not."""
    return vars(sys.modules[kind.__module__]).get(kind.__name__) is kind


def _is_own(kind: type) -> bool:
    return kind.__module__.startswith(f"{_ROOM}.")
