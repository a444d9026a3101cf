"""Make the sample recordings that come with the package, from the catalogue's parameters.

    python datasets/make_samples.py [FOLDER]

The files are the same byte for byte on every run with the same library versions. The hashes that
it prints belong into the catalogue.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import xarray as xr

from partita.datasets import sample_path, simulate_fusi

CATALOGUE = Path(__file__).parent


def make_samples(folder: Path) -> list[Path]:
    """Write every file of the fUSI sample to `folder` and return their paths."""
    entry = tomllib.loads((CATALOGUE / "sample-fusi.toml").read_text(encoding="utf-8"))
    truth = simulate_fusi(**entry["simulation"])
    stem = sample_path("fusi").name.removesuffix("_pwd.nii.gz")
    folder.mkdir(parents=True, exist_ok=True)
    recording = folder / f"{stem}_pwd.nii.gz"
    sidecar = folder / f"{stem}_pwd.json"
    components = folder / f"{stem}_desc-truth_components.nc"
    write_nifti(truth["recording"], recording, step=entry["power_step"])
    write_sidecar(truth["recording"], sidecar, entry)
    truth[["maps", "signals", "power"]].to_netcdf(components, engine="h5netcdf")
    return [recording, sidecar, components]


def write_nifti(recording: xr.DataArray, path: Path, *, step: float) -> None:
    """Store power as 16-bit multiples of `step`, and no clock in the gzip header."""
    values = recording.transpose("x", "y", "z", "time").values
    stored = np.round(values / step).astype(np.int16)
    sizes = [spacing(recording[axis]) for axis in ("x", "y", "z")]
    affine = np.diag([*sizes, 1.0])
    affine[:3, 3] = [float(recording[axis][0]) for axis in ("x", "y", "z")]
    header = nib.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_xyzt_units("mm", "sec")
    image = nib.Nifti1Image(stored, affine, header)
    image.header.set_slope_inter(step, 0)
    image.header.set_zooms([*sizes, round(float(recording.time.diff("time").mean()), 3)])
    image.set_qform(affine, code=1)
    image.set_sform(None, code=0)
    with (
        path.open("wb") as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=9, mtime=0) as packed,
    ):
        packed.write(image.to_bytes())


def spacing(coordinate: xr.DataArray) -> float:
    """Voxel size along one axis; a single plane is as thick as the catalogue's slices."""
    if coordinate.size == 1:
        return 0.4
    return round(float(coordinate.diff(coordinate.name).mean()), 9)


def write_sidecar(recording: xr.DataArray, path: Path, entry: dict[str, Any]) -> None:
    """Write what BIDS says of the recording, its irregular timing volume by volume."""
    fields = {
        "TaskName": "spontaneous",
        "Manufacturer": "simulated",
        "VolumeTiming": [round(float(start), 3) for start in recording.time],
        "Units": "a.u.",
        "FrameAcquisitionDuration": entry["simulation"]["sampling_interval"],
        "Description": entry["title"],
        "License": entry["licence"],
    }
    path.write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8", newline="\n")


def main() -> None:
    """Make the samples and print their sizes and hashes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=sample_path("fusi").parent)
    for path in make_samples(parser.parse_args().folder):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        print(f'"{path.name}" = {{ bytes = {path.stat().st_size}, sha256 = "{digest}" }}')


if __name__ == "__main__":
    main()
