"""Draw the picture of the README by its own ten lines: ``python docs/draw_components.py``."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

HERE = Path(__file__).parent
README = HERE.parent / "README.md"


def draw(path: Path) -> None:
    """Run the example of the README in a folder of its own, and keep the figure it ends with."""
    text = README.read_text(encoding="utf-8")
    found = re.search(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert found is not None
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        exec(compile(found[1], README.name, "exec"), {})
        os.chdir(HERE)
    plt.gcf().savefig(path, dpi=100)


if __name__ == "__main__":
    draw(HERE / "_static" / "components.png")
