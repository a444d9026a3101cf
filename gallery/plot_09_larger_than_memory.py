"""
Larger than memory: a 10 GB session on a laptop
===============================================

A session on disk is opened, standardised and factorised by the script one would write for a small
one, and never brought into memory. To run in a minute, this page makes one of 240 MB and pretends
that it is too large; nothing changes for 10 GB but the minutes.
"""

import tempfile
import tracemalloc
from pathlib import Path

import dask.array
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

import partita as pt

# %%
# A session on disk
# -----------------
# Eight cells and a slow background, 1500 frames of 200 x 200, written frame by frame as an
# acquisition would: nothing here ever holds all of it either.

rng = np.random.default_rng(0)
n_times, side, n_cells = 1500, 200, 8
y, x = np.mgrid[:side, :side].astype("float32")
centres, widths = rng.uniform(20, side - 20, (n_cells, 2)), rng.uniform(6, 14, n_cells)
maps = np.stack(
    [
        np.exp(-((y - a) ** 2 + (x - b) ** 2) / (2 * w**2))
        for (a, b), w in zip(centres, widths, strict=True)
    ]
)
courses = np.zeros((n_times, n_cells), "float32")
for t in range(1, n_times):
    courses[t] = 0.95 * courses[t - 1] + rng.poisson(0.03, n_cells)


def record(block_info=None) -> np.ndarray:
    start, stop = block_info[None]["array-location"][0]
    noise = np.random.default_rng(start).standard_normal((stop - start, side, side), "float32")
    return 100 + np.einsum("tk,kyx->tyx", courses[start:stop], maps) + 0.3 * noise


movie = dask.array.map_blocks(
    record, chunks=((100,) * 15, (side,), (side,)), dtype="float32", meta=np.empty((0, 0, 0), "f4")
)
folder = Path(tempfile.mkdtemp())
pt.save(
    xr.DataArray(
        movie,
        dims=("time", "y", "x"),
        coords={
            "time": ("time", np.arange(n_times) / 30.0, {"units": "s"}),
            "y": ("y", np.arange(side) * 0.002, {"units": "mm"}),
            "x": ("x", np.arange(side) * 0.002, {"units": "mm"}),
        },
        attrs={"long_name": "fluorescence", "units": "a.u."},
    ),
    folder / "session.nc",
)

# %%
# The same script as ever
# -----------------------
# ``load`` is lazy, and so are the steps before the fit, which reads what it is given part by part,
# a dozen times. Steps that cost more than the reading are better saved once, block by block; the
# fit says so where it would pay.

tracemalloc.start()
recording = pt.load(folder / "session.nc", chunks={"time": 100})
pt.save(pt.preprocess.delta_f_over_f(recording, baseline="mean", rectify=True), folder / "clean.nc")
prepared = pt.load(folder / "clean.nc", chunks={"time": 100})
nmf = pt.NMF(n_components=9, random_state=0).fit(prepared)
peak = tracemalloc.get_traced_memory()[1]
tracemalloc.stop()
print(
    f"{recording.nbytes / 1e6:.0f} MB read {nmf.fit_report_['passes']:.0f} times, "
    f"{peak / 1e6:.0f} MB in memory at the most; residual "
    f"{float(np.hypot(*nmf.optimality_['residual'].values)):.1e}, converged: {nmf.converged_}"
)

# %%
# Twelve to fifteen passes are usual: one to look the session over and take a sample of its voxels,
# on which several starts are raced; one to compress it; four to correct what the compression left
# out; half a dozen on the session itself; and the certificate.

pt.plotting.plot_components(nmf, components=[0, 1, 2, 3])

# %%
# The answer is that of memory
# ----------------------------

in_memory = pt.NMF(n_components=9, random_state=0).fit(prepared.compute())
difference = float(nmf.losses_[-1] / in_memory.losses_[-1] - 1)
print(f"loss against a fit in memory: {difference:+.1e}")

flat = [m.maps_.values.reshape(9, -1) for m in (nmf, in_memory)]
agreement = np.corrcoef(*flat)[:9, 9:]

figure, ax = plt.subplots(figsize=(3.6, 3), layout="constrained")
image = ax.imshow(agreement, vmin=0, vmax=1, cmap="viridis")
ax.set(xlabel="part, in memory", ylabel="part, from disk", xticks=range(9), yticks=range(9))
figure.colorbar(image, label="correlation of the maps")

# %%
# Rebuilt, but not yet
# --------------------
# ``inverse_transform`` of such a fit is lazy as well: what is needed of it is computed when it is
# looked at, or saved block by block.

rebuilt = nmf.inverse_transform()
rebuilt.isel(time=slice(0, 3)).mean(["y", "x"]).compute()
