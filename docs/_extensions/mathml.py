"""Formulas as MathML, which browsers draw by themselves: pages read the same offline."""

from __future__ import annotations

from docutils.nodes import SkipNode
from latex2mathml.converter import convert


def visit_math(translator, node):
    translator.body.append(convert(node.astext()))
    raise SkipNode


def visit_math_block(translator, node):
    formula = convert(node.astext(), display="block")
    translator.body.append(translator.starttag(node, "div", CLASS="math-block"))
    translator.body.append(f"{formula}</div>\n")
    raise SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
