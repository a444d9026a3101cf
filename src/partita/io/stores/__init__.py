"""NetCDF files and Zarr stores to Datasets and recordings, and back."""
