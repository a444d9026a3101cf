"""What the gallery, the guide and the README show does run, as it stands there."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "gallery").glob("plot_*.py"))
PAGES = [
    ROOT / "README.md",
    ROOT / "docs" / "index.md",
    *sorted((ROOT / "docs/guide").glob("*.md")),
]
EXAMPLE = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    plt.close("all")


@pytest.mark.slow
@pytest.mark.gallery
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_gallery_page_runs_and_draws(script):
    runpy.run_path(str(script))
    assert plt.get_fignums()


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_examples_of_a_page_run_in_their_order(page):
    names = {}
    for number, example in enumerate(EXAMPLE.findall(page.read_text(encoding="utf-8"))):
        exec(compile(example, f"{page.name}, example {number}", "exec"), names)


def test_readme_shows_two_commands_and_one_example():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    marked = re.search(r"<!-- the two commands.*?-->\n```bash\n(.*?)\n```", text, re.DOTALL)
    assert len(marked[1].splitlines()) == 2
    assert len(EXAMPLE.findall(text)) == 1
