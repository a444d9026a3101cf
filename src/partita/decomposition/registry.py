"""Every kind of decomposition, known from where it is defined: files name the class of their model.

What is asked of an estimator beside its own methods is data on its class (see `Decomposition`):
whatever needs a list of estimators reads it here.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any
from weakref import WeakSet

from partita._labels.warn import warn
from partita._version import __version__

_KINDS: dict[tuple[str, str], type[Any]] = {}  # by module and name, the latest last
_ALL: WeakSet[type[Any]] = WeakSet()  # those too that a later one of the same name has replaced
_ROOM = "partita.decomposition"


def register(kind: type[Any]) -> None:
    """Know a class by where it is; one that is defined there again takes the place of the other.

    Raises
    ------
    TypeError
        If it bears the name of one of Partita's own and is not.
    """
    # By the names that are listed, for most of the classes are not imported yet.
    if kind.__name__ in importlib.import_module(_ROOM).__all__ and not _is_own(kind):
        raise TypeError(
            f"{kind.__name__} is an estimator of Partita, and a file names the class of its model. "
            f"Give {kind.__module__}.{kind.__qualname__} another name."
        )
    key = kind.__module__, kind.__name__
    _KINDS.pop(key, None)
    _KINDS[key] = kind
    _ALL.add(kind)


def estimators() -> dict[str, type[Any]]:
    """Return Partita's own estimators by name; their modules are imported."""
    room = importlib.import_module(_ROOM)
    for name in room.__all__:
        getattr(room, name)
    own = [kind for kind in _KINDS.values() if _is_own(kind) and _stands(kind)]
    return {kind.__name__: kind for kind in sorted(own, key=lambda kind: kind.__name__)}


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

    Warns
    -----
    UserWarning
        If it is defined in another module now.
    """
    room: Any = importlib.import_module(_ROOM)
    if name in room.__all__:
        getattr(room, name)
    if (module, name) in _KINDS:
        return _KINDS[module, name]
    namesakes = [kind for (_, known), kind in _KINDS.items() if known == name]
    if namesakes:
        return _moved(namesakes[-1], f"{module}.{name}", source)
    if module.partition(".")[0] == "partita":
        remedy = f"written by Partita {version}; this is {__version__}. Update Partita to open it."
    else:
        remedy = f"which {module} defines. Import that module first, then load the model."
    raise ValueError(f"{source} holds a model of class {name!r}, {remedy}")


def _moved(kind: type[Any], saved_as: str, source: str) -> type[Any]:
    """Return a class of the same name elsewhere: ours move silently, for a name stays one class."""
    if not _is_own(kind):
        warn(
            f"{source} was saved as {saved_as}, which is not defined here, and is loaded as "
            f"{kind.__module__}.{kind.__name__}. If that is another class, import the first one "
            "before loading."
        )
    return kind


def _stands(kind: type) -> bool:
    """Tell whether a class is in the module that it names; one of an example there is not."""
    return vars(sys.modules[kind.__module__]).get(kind.__name__) is kind


def _is_own(kind: type) -> bool:
    return kind.__module__.startswith(f"{_ROOM}.")
