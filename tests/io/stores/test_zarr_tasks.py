"""An interrupted save of a store leaves nothing behind that comes back."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import xarray as xr

import partita

pytest.importorskip("zarr")
from zarr.core import sync
from zarr.storage import LocalStore


def test_what_zarr_still_writes_after_ctrl_c_is_removed_with_the_rest(tmp_path, monkeypatch):
    """Zarr writes in a thread of its own, which Ctrl-C does not reach."""
    array = xr.DataArray(np.ones((8, 4, 3)), dims=("time", "y", "x"), name="a")
    path = tmp_path / "a.zarr"
    partita.save(array, path)
    put, begun = LocalStore.set, threading.Event()

    async def slow(self, key, value):
        begun.set()
        time.sleep(0.2)
        await put(self, key, value)

    def interrupted(*_, **__):
        begun.wait(5)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(LocalStore, "set", slow)
        patched.setattr(sync, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            partita.save(array * 2, path)
    time.sleep(0.5)
    assert [one.name for one in tmp_path.iterdir()] == ["a.zarr"]
    np.testing.assert_array_equal(partita.load(path), array)
