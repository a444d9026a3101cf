"""
NMF on one fUSI recording
=========================

A functional-ultrasound recording goes in as a NIfTI file; ten maps, each with the time course that
plays it, come out. Nothing on the way loses a label: the maps know their millimetres, the time
courses their seconds.

The recording ships with Partita. It is simulated, so what is in it is known; at the end of the page
that truth is held against what was found.
"""

# %%
# Load
# ----
# A recording is an :class:`xarray.DataArray` over time and space. It is read lazily: so far only
# the header and the sidecar beside the file were looked at.

# sphinx_gallery_thumbnail_number = 3
import partita as pt

recording = pt.load(pt.datasets.sample_path())
recording

# %%
# The mean over time shows the vessels.

pt.plotting.plot_map(recording.mean("time", keep_attrs=True))

# %%
# Make it comparable, and non-negative
# ------------------------------------
# Raw power is dominated by the large vessels. :func:`~partita.preprocess.zscore` gives every voxel
# the same weight, and :func:`~partita.preprocess.split_sign` keeps rises and falls apart: what was
# negative becomes a second, non-negative half along the dimension ``sign``.

signed = recording.pipe(pt.preprocess.zscore).pipe(pt.preprocess.split_sign)
signed.sizes

# %%
# Take it apart
# -------------

nmf = pt.NMF(n_components=10, mode="temporal", random_state=0)
signals = nmf.fit_transform(signed)
signals

# %%
# Maps beside their time courses, in one call, over the mean power that ``zscore`` has taken away
# and left as the coordinate ``background``. Each part's percentage is what it would explain of the
# squares alone; R² is what all of them explain of the variance. All maps share one scale.

pt.plotting.plot_components(nmf)

# %%
# The fit says how far it is from a point where no factor can be improved alone: ``residual`` below
# ``tol`` is what "converged" means here.

print(f"converged: {nmf.converged_}, after {nmf.n_iter_} iterations")
nmf.optimality_

# %%
# Temporal or spatial
# -------------------
# ``mode`` names what counts as a sample: time points or voxels. For NMF it changes the start and
# which factor moves first, and nothing else; both modes look for the same minima, and in both all
# maps *and* all signals are non-negative.
#
# The figure shows the strongest five, rises less falls.

spatial = pt.NMF(n_components=10, mode="spatial", random_state=0).fit(signed)
pt.plotting.plot_components(spatial, components=range(5))

# %%

for model in (nmf, spatial):
    print(
        f"{model.mode:>8}: error {model.reconstruction_err_:.2f}, "
        f"smallest signal {float(model.signals_.min()):.3g}, "
        f"smallest map value {float(model.maps_.min()):.3g}"
    )

# %%
# How many components?
# --------------------
# The error always falls with their number. A kink says where further components begin to describe
# noise; it is a hint, never a proof.

import matplotlib.pyplot as plt
import numpy as np

ranks = [1, 2, 4, 6, 8, 10, 14, 18, 24]
total = float(np.sqrt((signed.astype("float64") ** 2).sum()))
errors = []
for rank in ranks:
    model = pt.NMF(n_components=rank, random_state=0).fit(signed)
    errors.append(model.reconstruction_err_ / total)

figure, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.plot(ranks, errors, "o-")
ax.set(xlabel="number of components", ylabel="relative error", xticks=ranks)

# %%
# What is really in there
# -----------------------
# The sample comes with the six sources it was made from: what each does over time, rises and falls
# together. NMF finds the rises of a source as one part and its larger falls as another. For each
# source, the part that follows it best:

truth = pt.datasets.load_sample_truth()
signals = nmf.signals_.values
for source in truth["component"].values:
    course = truth["signals"].sel(component=source).values
    agreement = np.corrcoef(course, signals, rowvar=False)[0, 1:]
    best = int(np.abs(agreement).argmax())
    print(f"source {source}: component {best}, correlation {agreement[best]:+.2f}")

# %%
# Keep it
# -------
# One call writes what other programs read (NIfTI maps, a TSV of signals, JSON) and a NetCDF file
# that holds everything; the model comes back whole and goes on working.

import tempfile
from pathlib import Path

folder = Path(tempfile.mkdtemp())
pt.save(nmf, folder / "sub-sample_desc-nmf")
print(*sorted(path.name for path in folder.iterdir()), sep="\n")

# %%

again = pt.load_model(folder / "sub-sample_desc-nmf.nc")
again.transform(signed).identical(nmf.transform(signed))
