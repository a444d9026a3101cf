"""What all simulators share: their history, their spacing, their words."""

import inspect

import numpy as np
import pytest

from partita import datasets

SIMULATORS = sorted(name for name in datasets.__all__ if name.startswith("simulate_"))
SMALL = {
    "simulate_calcium": {"shape": [16, 12], "n_components": 2},
    "simulate_fmri": {"shape": (1, 20, 16)},
    "simulate_fusi": {"shape": np.array([1, 24, 20])},
    "simulate_two_photon": {"shape": (24, 20)},
}
SPACED = sorted(SMALL)


@pytest.mark.parametrize("name", SIMULATORS)
def test_history_tells_every_parameter(name):
    simulate = getattr(datasets, name)
    truth = simulate(n_times=20, random_state=0, **SMALL.get(name, {}))
    line = truth.recording.attrs["history"]
    assert line == truth.attrs["history"]
    told = eval(line, {name: dict})
    assert list(told) == list(inspect.signature(simulate).parameters)
    assert told["n_times"] == 20
    assert told["dtype"] == "float32"
    again = simulate(**told)
    np.testing.assert_array_equal(again.recording, truth.recording)


@pytest.mark.parametrize("name", SPACED)
def test_spacing_is_one_size_or_one_along_each_axis(name):
    simulate, shape = getattr(datasets, name), SMALL[name]
    axes = [dim for dim in ("z", "y", "x") if dim in simulate(n_times=20, **shape).recording.dims]
    even = simulate(n_times=20, spacing=0.1, random_state=0, **shape).recording
    sizes = [0.1 * (1 + place) for place in range(len(axes))]
    uneven = simulate(n_times=20, spacing=sizes, random_state=0, **shape).recording
    for dim, size in zip(axes, sizes, strict=True):
        if even.sizes[dim] > 1:
            np.testing.assert_allclose(np.diff(even[dim]), 0.1)
            np.testing.assert_allclose(np.diff(uneven[dim]), size)
    with pytest.raises(ValueError, match=f"{name} needs spacing to be a size above 0 mm, or"):
        simulate(n_times=20, spacing=[0.1] * 5, **shape)
