"""Configuration of the site: ``python -m sphinx -W -b html docs docs/_build/html`` builds it."""

from __future__ import annotations

import os
import re
import sys
import tomllib
from pathlib import Path

os.environ.setdefault("MPLBACKEND", "Agg")

from partita import __version__
from partita.decomposition.registry import estimators

# Where the project lives in public: while these are empty, pages carry no link to Binder, which
# runs the gallery in a browser.
OWNER, REPOSITORY = "", ""

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_extensions"))

project = "Partita"
author = "Partita developers"
copyright = f"2026, {author}"
release = __version__
version = ".".join(release.split(".")[:2])

extensions = [
    "mathml",
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "**.ipynb_checkpoints", "decompositions.rst"]
templates_path = ["_templates"]

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autodoc_typehints = "none"  # the docstrings say more: the shape, not only the class
autosummary_generate = ["reference.rst", "decompositions.rst"]
numpydoc_show_class_members = False
numpydoc_xref_param_type = True
numpydoc_xref_aliases = {
    name: name
    for name in (
        "dask.array.Array",
        "matplotlib.axes.Axes",
        "matplotlib.colors.Colormap",
        "matplotlib.figure.Figure",
        "nibabel.spatialimages.SpatialImage",
        "numpy.ndarray",
        "numpy.random.Generator",
        "numpy.random.RandomState",
        "pathlib.Path",
        "xarray.DataArray",
        "xarray.Dataset",
    )
} | {
    "Axes": "matplotlib.axes.Axes",
    "DataArray": "xarray.DataArray",
    "Dataset": "xarray.Dataset",
    "Figure": "matplotlib.figure.Figure",
    "Path": "pathlib.Path",
}
numpydoc_xref_ignore = "all"

# The reference includes whatever is in the registry of decompositions.
_names = "".join(f"   {name}\n" for name in (*estimators(), "estimate_memory"))
(HERE / "decompositions.rst").write_text(
    f".. currentmodule:: partita\n\n.. autosummary::\n   :toctree: api\n\n{_names}",
    encoding="utf-8",
)

# Inventories are committed, so that an unreachable host fails no build.
_inventories = tomllib.loads((HERE / "inventories" / "names.toml").read_text(encoding="utf-8"))
intersphinx_mapping = {
    name: (entry["address"], (f"inventories/{name}.inv",)) for name, entry in _inventories.items()
}

sphinx_gallery_conf = {
    "examples_dirs": ["../gallery"],
    "gallery_dirs": ["gallery"],
    "filename_pattern": r"[\\/]plot_",
    "within_subsection_order": "FileNameSortKey",
    "backreferences_dir": "api/backreferences",
    "doc_module": ("partita",),
    "copyfile_regex": r".*\.png",
    "download_all_examples": False,
    "ignore_repr_types": r"matplotlib\.|NotebookFigure|'list'",
    "image_scrapers": ("matplotlib",),
    "image_srcset": ["2x"],
    "min_reported_time": 5,
    "reset_modules": ("matplotlib", "seaborn", "page_warnings.make_errors"),
    "reset_modules_order": "both",
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,
    "abort_on_example_error": False,
}

if OWNER and REPOSITORY:
    sphinx_gallery_conf["binder"] = {
        "org": OWNER,
        "repo": REPOSITORY,
        "branch": "main",
        "binderhub_url": "https://mybinder.org",
        "dependencies": "../.binder/requirements.txt",
        "use_jupyter_lab": True,
    }

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_math_renderer = "mathml"
html_theme = "pydata_sphinx_theme"
html_title = "Partita"
html_static_path = ["_static"]
html_css_files = ["partita.css"]
html_show_sourcelink = False
toc_object_entries_show_parents = "hide"  # "transform()", beside the page of its class
html_theme_options = {
    "logo": {"text": "Partita"},
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc", "sg_download_links"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_prev_next": False,
    "navigation_with_keys": False,
}
html_sidebars = {"index": [], "start": [], "changelog": [], "benchmarks": []}


def escape_features(app, what, name, obj, options, lines):
    """Let docstrings say ``(time, *features)``; reStructuredText reads a lone star as emphasis."""
    lines[:] = [re.sub(r"(?<=[( ])\*(?=[a-z][a-z ]*[,)])", r"\\*", line) for line in lines]


def setup(app):
    app.connect("autodoc-process-docstring", escape_features, priority=400)  # before numpydoc
