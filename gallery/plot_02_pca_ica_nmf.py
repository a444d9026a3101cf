"""
PCA, ICA and NMF side by side
=============================

Three ways to say what a part is, on one recording, through one interface. PCA asks for directions
of largest variance that are uncorrelated; ICA for courses that are independent; NMF for parts that
only ever add up. The recording is simulated, so each answer can be held against the truth.
"""

# sphinx_gallery_thumbnail_number = 4
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

import partita as pt

truth = pt.datasets.simulate_fusi(
    n_times=600, shape=(1, 57, 40), spacing=(0.4, 0.1, 0.2), n_components=4, random_state=2
)
standard = pt.preprocess.zscore(truth["recording"])
signed = pt.preprocess.split_sign(standard)

# %%
# Three estimators, one interface
# -------------------------------
# PCA and FastICA take the z-scored recording as it is. NMF takes it with its signs split, and what
# it finds is merged again for the comparison: rises minus falls.

pca = pt.PCA(n_components=4).fit(standard)
ica = pt.FastICA(n_components=4, random_state=0).fit(standard)
nmf = pt.NMF(n_components=8, random_state=0).fit(signed)

# %%
# The principal components: each has both signs, and each mixes several regions, because the next
# one only has to be orthogonal to it.

pt.plotting.plot_components(pca)

# %%
# The independent components separate the regions; their sign is a convention.

pt.plotting.plot_components(ica)

# %%
# The non-negative parts: a region and its falls are two parts, whose courses never go below zero.

pt.plotting.plot_components(nmf, signs="merged")

# %%
# Against the truth
# -----------------
# For every source the component whose map is most like it, by the absolute cosine between the two
# maps; a map of an NMF part counts with its signs merged.


def cosine(ours: xr.DataArray, sources: xr.DataArray) -> xr.DataArray:
    space = ["z", "y", "x"]
    ours = ours.rename(component="found")
    product = xr.dot(ours, sources, dim=space)
    lengths = np.sqrt((ours**2).sum(space) * (sources**2).sum(space))
    return abs(product / lengths)


maps = {
    "PCA": pca.maps_,
    "ICA": ica.maps_,
    "NMF": pt.preprocess.merge_sign(nmf.maps_),
}
figure, ax = plt.subplots(figsize=(5.5, 3), layout="constrained")
colours = {"PCA": "#009E73", "ICA": "#56B4E9", "NMF": "#D55E00"}
for i, (name, found) in enumerate(maps.items()):
    best = cosine(found, truth["maps"]).max("found")
    ax.bar(np.arange(4) + 0.27 * (i - 1), best, width=0.25, label=name, color=colours[name])
ax.set(xticks=range(4), xlabel="true source", ylabel="best cosine", ylim=(0, 1))
ax.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1), frameon=False)

# %%
# Spatial or temporal
# -------------------
# ``mode`` says what the samples are. Temporal ICA makes the signals independent, spatial ICA the
# maps, as the fMRI literature does. Either way ``inverse_transform`` rebuilds the recording with
# the error that the model states.

for mode in ("temporal", "spatial"):
    model = pt.FastICA(n_components=4, mode=mode, random_state=0).fit(standard)
    misfit = float(np.sqrt(((standard - model.inverse_transform()) ** 2).sum()))
    print(f"{mode:>8}: stated error {model.reconstruction_err_:.2f}, found {misfit:.2f}")

# %%
# Signs on the maps alone
# -----------------------
# Splitting the signs makes a part of the rises and another of the falls. Where they belong
# together, :class:`~partita.SemiNMF` takes the z-scored recording as it is: its signals are
# non-negative, and what falls while a part plays is negative on its map.

semi = pt.SemiNMF(n_components=4, random_state=0).fit(standard)
pt.plotting.plot_components(semi)
