"""Small recordings that come with the package, and the truth they were made from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    import xarray as xr


SampleName = Literal["fusi"]


class Sample(NamedTuple):
    """File names of a sample: the recording and what it was simulated from."""

    recording: str
    truth: str


FOLDER = Path(__file__).with_name("samples")
SAMPLES = {
    "fusi": Sample(
        "sub-01_ses-20260101_task-spontaneous_acq-slice01_pwd.nii.gz",
        "sub-01_ses-20260101_task-spontaneous_acq-slice01_desc-truth_components.nc",
    ),
}


def sample_path(name: SampleName = "fusi") -> Path:
    """Return the path of a sample recording.

    Parameters
    ----------
    name : {"fusi"}
        Name of the sample.

    Returns
    -------
    pathlib.Path
        A BIDS NIfTI file; its sidecar lies beside it.

    Raises
    ------
    ValueError
        If there is no sample of that name; the known ones are listed.

    Examples
    --------
    >>> from partita.datasets import sample_path
    >>> sample_path("fusi").name
    'sub-01_ses-20260101_task-spontaneous_acq-slice01_pwd.nii.gz'
    """
    return FOLDER / _sample(name).recording


def load_sample(name: SampleName = "fusi", *, chunks: Any = "auto") -> xr.DataArray:
    """Load a sample recording; no network is needed.

    ``"fusi"`` is 300 volumes of one brain slice, 64 x 48 voxels of 0.0825 x 0.16 mm, made by
    :func:`partita.datasets.simulate_fusi` from six sources, motionless, with the irregular
    timing of a real recording (about 0.4 s).

    Parameters
    ----------
    name : {"fusi"}
        Name of the sample.
    chunks : "auto", int, tuple, dict or None
        As in :func:`partita.load`: lazy blocks, or None to read everything now.

    Returns
    -------
    xarray.DataArray, (time, z, y, x)
        Power Doppler, arbitrary units; time in s, space in mm.

    Raises
    ------
    ValueError
        If there is no sample of that name; the known ones are listed.

    See Also
    --------
    load_sample_truth : The sources of the sample.

    Examples
    --------
    >>> from partita.datasets import load_sample
    >>> recording = load_sample("fusi")
    >>> dict(recording.sizes)
    {'time': 300, 'z': 1, 'y': 64, 'x': 48}
    """
    from partita.io import load

    return load(sample_path(name), chunks=chunks)


def load_sample_truth(name: SampleName = "fusi") -> xr.Dataset:
    """Load the sources that a sample recording was made from.

    Parameters
    ----------
    name : {"fusi"}
        Name of the sample.

    Returns
    -------
    xarray.Dataset
        ``maps`` (component, z, y, x), ``signals`` (time, component) and ``power`` (z, y, x), as
        :func:`partita.datasets.simulate_fusi` describes them, on the sample's own coordinates.

    Raises
    ------
    ValueError
        If there is no sample of that name; the known ones are listed.

    Examples
    --------
    >>> from partita.datasets import load_sample_truth
    >>> truth = load_sample_truth("fusi")
    >>> dict(truth.maps.sizes)
    {'component': 6, 'z': 1, 'y': 64, 'x': 48}
    """
    from partita.io import read_dataset

    truth = read_dataset(FOLDER / _sample(name).truth)
    own = load_sample(name).coords
    # A NIfTI header keeps positions in float32; coordinates that differ by rounding do not align.
    return truth.assign_coords({axis: own[axis] for axis in ("time", "z", "y", "x", "grid")})


def _sample(name: str) -> Sample:
    if name in SAMPLES:
        return SAMPLES[name]
    raise ValueError(f"There is no sample {name!r}; the known ones are {', '.join(SAMPLES)}.")
