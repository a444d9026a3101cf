"""Weights between nodes: the labels of both dimensions are one, whatever their order."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from partita._labels.square import Square


@st.composite
def networks(draw: st.DrawFn) -> xr.DataArray:
    """Draw weights between nodes with or without labels, in any order along both dimensions."""
    n = draw(st.integers(1, 5))
    values = np.arange(n * n, dtype=draw(st.sampled_from(["float32", "float64", "int16"])))
    array = xr.DataArray(values.reshape(n, n), dims=("node", "to"), name="weights")
    labels = draw(st.sampled_from([None, np.arange(n) * 0.5, [f"n{i}" for i in range(n)]]))
    if labels is not None:
        array = array.assign_coords(node=labels, to=labels, area=("node", np.arange(n)))
        array = array.isel(to=draw(st.permutations(range(n))))
    return array.transpose(*draw(st.permutations(("node", "to"))))


def of(array: xr.DataArray) -> Square:
    return Square.of(array, dim="node", other="to", caller="SymmetricNMF")


@settings(deadline=None, max_examples=80)
@given(networks())
def test_an_entry_of_the_matrix_is_the_weight_between_its_nodes(array: xr.DataArray) -> None:
    matrix = of(array).matrix(array, caller="SymmetricNMF")
    nodes = array["node"].values
    for i, node in enumerate(nodes):
        for j, other in enumerate(nodes):
            assert matrix[i, j] == array.sel({"node": node, "to": other})


@settings(deadline=None, max_examples=40)
@given(networks())
def test_maps_carry_the_labels_of_nodes_and_return_to_their_rows(array: xr.DataArray) -> None:
    square = of(array)
    rows = np.arange(2.0 * array.sizes["node"]).reshape(2, -1)
    maps = square.maps(rows, component=[0, 1])
    assert maps.dims == ("component", "node")
    assert set(maps.coords) == {"component", *(set(array.coords) - {"to"})}
    np.testing.assert_array_equal(square.flat_maps(maps.transpose(), caller="init"), rows)


@given(networks())
def test_an_array_comes_back_over_both_dimensions(array: xr.DataArray) -> None:
    square = of(array)
    back = square.array(square.matrix(array, caller="SymmetricNMF"))
    assert set(back.dims) == {"node", "to"}
    xr.testing.assert_equal(back.sum("to"), array.astype(back.dtype).sum("to"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a.rename(to="x"), "over 'node' and 'to', and was given"),
        (lambda a: a[:, :2], "has 3 and 2 of them"),
        (lambda a: a.drop_vars("to"), r"with labels along \['node'\]"),
        (lambda a: a.assign_coords(to=list("abe")), "to lies on another grid: 1 of 3"),
    ],
)
def test_other_nodes_along_the_two_dimensions_are_refused(change, words: str) -> None:
    nodes = list("abc")
    array = xr.DataArray(np.ones((3, 3)), {"node": nodes, "to": nodes}, ("node", "to"))
    with pytest.raises(ValueError, match=words):
        of(change(array))
