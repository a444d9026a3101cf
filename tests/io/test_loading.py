"""What `load` takes at all."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import partita


@pytest.mark.parametrize("given", [np.zeros((3, 3)), xr.DataArray([1.0]), 3])
def test_what_is_neither_path_nor_image_is_refused(given):
    with pytest.raises(TypeError, match=r"a path or a nibabel image.*xr.DataArray\(values"):
        partita.load(given)
