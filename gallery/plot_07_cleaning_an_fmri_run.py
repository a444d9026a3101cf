"""
Cleaning an fMRI run
====================

A raw run drifts, moves, breathes and jumps, and all of that is larger than the activity it holds.
This run is simulated, so that every step can be held against the truth: how much of the course of
each source is left, and how much of what is none.
"""

# sphinx_gallery_thumbnail_number = 4
import matplotlib.pyplot as plt
import numpy as np
import scipy.optimize
import xarray as xr

import partita as pt
from partita import preprocess as pp

truth = pt.datasets.simulate_fmri(n_times=300, random_state=1)
raw = truth["recording"]

# %%
# Look first
# ----------
# The brain is the largest bright region of the mean over time. DVARS, the change from each frame to
# the next, shows the frames that a jump of the head has spoilt.

mean = pp.temporal_mean(raw)
brain = pp.brain_mask(raw)
pt.plotting.plot_map(mean, mask=brain, title="Mean and brain mask")

# %%

jumps = pp.dvars(raw, mask=brain)
suspect = jumps > 3 * jumps.median()
figure, ax = plt.subplots(figsize=(6.5, 2.4), layout="constrained")
ax.plot(raw.time, jumps, color="#0072B2", linewidth=1)
ax.plot(raw.time[suspect.values], jumps[suspect.values], "o", color="#D55E00", label="suspect")
ax.set(xlabel="time [s]", ylabel="DVARS [%]", ylim=(0, None))
ax.legend(frameon=False)
print(f"{int(suspect.sum())} frames are suspect; {int(truth.suspect.sum())} were spoilt")

# %%
# The way back from a jump changes as much as the jump itself, so the frame after it is suspect too.

# %%
# The confounds
# -------------
# The motion parameters and their squares explain what shows at the edges. What the ventricles share
# is no activity either: five principal components of their voxels, found without the spoilt frames.
# A registration (or FSL, or fMRIPrep) gives the motion; here it is the true one.

motion = truth["translation"].drop_vars("axis")
moved = xr.concat([motion, motion**2], "axis").rename("motion")
ventricles = truth["ventricles"] & brain

# %%
# Step by step
# ------------
# The order: first what a frame holds is decided (censoring, by interpolation), then drifts and all
# confounds go, then the filter. Confounds and recording must have gone through the same steps: a
# confound that was not filtered brings back, by the regression, what the filter took out of the
# recording. The function below does to any array over time what is done to the recording.


def filtered(array: xr.DataArray) -> xr.DataArray:
    """Interpolate over the spoilt frames, and take the slow drifts out."""
    array = pp.censor(array, suspect, how="interpolate")
    return pp.detrend(array, drift="cosine", longest_period=128, keep_mean=True)


detrended = pp.detrend(raw, drift="cosine", longest_period=128, keep_mean=True)
censored = filtered(raw)
still = pp.regress_out(censored, filtered(moved), keep_mean=True)
noise = pp.compcor(still, ventricles, n_components=5)
quiet = pp.regress_out(
    censored,
    xr.Dataset({"motion": filtered(moved), "compcor": noise.drop_vars("component")}),
    keep_mean=True,
)
smooth = pp.smooth(pp.lowpass(quiet, cutoff=0.12).where(brain), fwhm=6.0)

steps = {
    "raw": raw,
    "drifts out": detrended,
    "jumps out": censored,
    "motion out": still,
    "physiology out": quiet,
    "low-pass, smooth": smooth,
}
print(smooth.attrs["history"])

# %%
# What each step wins
# -------------------
# tSNR is the mean of a voxel over its standard deviation. It always rises, also when activity goes;
# so beside it stands what only a simulation knows: the correlation of the course at the peak of
# each source with the true course.

kept = ~suspect
figure, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
table = {}
for name, recording in steps.items():
    ratio = float(pp.tsnr(recording.where(brain)).median())
    course = xr.dot(recording.where(brain, 0), truth["maps"] ** 4, dim=["z", "y", "x"])
    match = xr.corr(course[kept], truth["signals"][kept], dim="time")
    table[name] = (ratio, match.values)
ticks = range(len(table))
axes[0].plot(ticks, [ratio for ratio, _ in table.values()], "o-", color="#0072B2")
axes[0].set(ylabel="median tSNR", ylim=(0, None))
matches = np.array([match for _, match in table.values()])
axes[1].plot(ticks, matches[:, 0], "o-", color="#D55E00", label="task")
axes[1].plot(ticks, matches[:, 1:], "o-", color="#999999")
axes[1].plot([], [], "o-", color="#999999", label="rest")
axes[1].set(ylabel="correlation with truth", ylim=(0, 1))
axes[1].legend(frameon=False, loc="lower right")
for ax in axes:
    ax.set_xticks(ticks, list(table), rotation=30, ha="right")

# %%
# One voxel at the peak of the task, before and after.

peak = truth["maps"][0].argmax(["z", "y", "x"])
figure, axes = plt.subplots(3, 1, figsize=(6.5, 4), sharex=True, layout="constrained")
for ax, (name, course) in zip(
    axes,
    {
        "raw": raw[peak],
        "cleaned": smooth[peak],
        "truth": truth["signals"].sel(component=0),
    }.items(),
    strict=True,
):
    ax.plot(raw.time, course, color="#0072B2", linewidth=1)
    ax.set_ylabel(name)
axes[-1].set_xlabel("time [s]")

# %%
# Frames that were interpolated hold nothing of their own. Before the factorisation they are dropped
# for good: it does not mind uneven times.

clean = pp.censor(smooth, suspect)


def found(recording: xr.DataArray) -> np.ndarray:
    """Return how well the best part of a factorisation matches each source."""
    signed = pp.split_sign(pp.zscore(recording.where(brain)))
    nmf = pt.NMF(n_components=8, random_state=0).fit(signed)
    maps = pp.merge_sign(nmf.maps_).fillna(0).rename(component="part")
    lengths = np.sqrt((maps**2).sum(["z", "y", "x"]) * (truth["maps"] ** 2).sum(["z", "y", "x"]))
    cosine = abs(xr.dot(maps, truth["maps"], dim=["z", "y", "x"]) / lengths)
    pairs = scipy.optimize.linear_sum_assignment(-cosine.transpose("component", "part").values)
    return cosine.transpose("component", "part").values[pairs]


print("cosine of each true map with the best part:")
print("  raw    ", found(raw).round(2))
print("  cleaned", found(clean).round(2))

# %%
# The last word has the picture.

nmf = pt.NMF(n_components=8, random_state=0).fit(pp.split_sign(pp.zscore(clean)))
pt.plotting.plot_components(nmf, signs="merged", components=[0, 1, 2, 3])
