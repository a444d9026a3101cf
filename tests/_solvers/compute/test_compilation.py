"""Compiled loops work where nothing can be kept on disk too."""

from __future__ import annotations

from partita._solvers.compute.compilation import compiled


def test_a_function_without_a_file_is_compiled_in_memory():
    namespace = {}
    exec("def double(x):\n    return 2 * x", namespace)
    double = compiled(namespace["double"])
    assert double(3.0) == 6.0
    assert double.signatures
