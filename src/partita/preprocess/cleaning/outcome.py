"""What a cleaned recording is called."""

from __future__ import annotations

import xarray as xr

_FLUCTUATION = " (fluctuation)"


def as_fluctuation(recording: xr.DataArray) -> xr.DataArray:
    """Say in `long_name` that the mean is gone; once, however often it is taken out."""
    before = recording.attrs.get("long_name")
    if before is None or str(before).endswith(_FLUCTUATION):
        return recording
    return recording.assign_attrs(long_name=f"{before}{_FLUCTUATION}")
