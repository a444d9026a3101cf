from . import derivatives as derivatives
from .derivatives import write_components as write_components
from .entries import SeveralArrays as SeveralArrays
from .formats import name_format as name_format
from .loading import load as load
from .saving import save_recording as save_recording
from .stores.netcdf_zarr import read_dataset as read_dataset
from .stores.netcdf_zarr import write_dataset as write_dataset
