"""How every benchmark heads its section of RESULTS.md, writes it, and keeps its pictures."""

from __future__ import annotations

import datetime
import importlib.metadata
import platform
import sys
from collections.abc import Iterable
from pathlib import Path

from matplotlib.figure import Figure

HERE = Path(__file__).parent
RESULTS = HERE / "RESULTS.md"


def describe(title: str, packages: Iterable[str], remark: str = "") -> list[str]:
    """Return the lines of a section's head: date, command, versions, and what else to know.

    The folder in which a benchmark makes its data is left out of the command.
    """
    versions = [f"Python {platform.python_version()}"]
    for name in packages:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    script = Path(sys.argv[0]).resolve().relative_to(HERE.parent)
    arguments = list(sys.argv[1:])
    if "--folder" in arguments:
        at = arguments.index("--folder")
        del arguments[at : at + 2]
    command = " ".join(["python", script.as_posix(), *arguments])
    about = f"`{command}`; {', '.join(versions)}; on {platform.machine()}."
    return [f"## {title}, {datetime.date.today()}", "", f"{about} {remark}".strip(), ""]


def publish(lines: Iterable[str], *, write: bool) -> None:
    """Print a section and, if asked, append it to RESULTS.md."""
    text = "\n".join([*lines, ""])
    print(text)
    if write:
        with RESULTS.open("a", encoding="utf-8") as file:
            file.write("\n" + text)


def keep_picture(figure: Figure, name: str) -> Path:
    """Save a picture beside RESULTS.md, which shows it."""
    path = HERE / "figures" / f"{name}.png"
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=110)
    return path
