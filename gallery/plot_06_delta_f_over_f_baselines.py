"""
ΔF/F baselines compared on a known truth
========================================

ΔF/F is no better than the baseline it divides by. Here the baseline is known: simulated traces
bleach by a quarter and drift, transients rise above them, and noise hides both. How far off is
each way to find F0?
"""

import matplotlib.pyplot as plt
import numpy as np

import partita as pt

truth = pt.datasets.simulate_traces(n_neurons=8, snr=3, event_rate=0.3, random_state=0)
truth

# %%
# One cell, five baselines
# ------------------------
# The transients peak at three times the noise. A low percentile and a minimum of such a trace lie
# below the baseline because noise reaches there; a median lies above it because transients do.

COLOURS = {
    "minimum": "#0072B2",
    "adaptive": "#009E73",
    "maximin": "#E69F00",
    "percentile": "#D55E00",
    "median": "#CC79A7",
}
baselines = {
    name: pt.preprocess.estimate_baseline(truth.recording, baseline=name) for name in COLOURS
}

figure, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
ax.plot(truth.time, truth.recording.sel(neuron=0), color="#CCCCCC", linewidth=0.4)
ax.plot(truth.time, truth.baseline.sel(neuron=0), color="black", linewidth=2.5, label="truth")
for name, baseline in baselines.items():
    ax.plot(truth.time, baseline.sel(neuron=0), color=COLOURS[name], label=name)
ax.set(xlabel="time [s]", ylabel="fluorescence [a.u.]", ylim=(35, 190))
ax.legend(frameon=False, ncols=3)

# %%
# More noise, more activity
# -------------------------
# The same for a grid of conditions: root mean square of F0 over its truth less one. Only a
# baseline that knows what noise and activity do to it stays near the truth everywhere.

SNRS, RATES = (2, 3, 8, 20), (0.1, 0.3, 0.5)
errors = np.empty((len(COLOURS), len(RATES), len(SNRS)))
for j, rate in enumerate(RATES):
    for k, snr in enumerate(SNRS):
        traces = pt.datasets.simulate_traces(n_neurons=8, snr=snr, event_rate=rate, random_state=1)
        for i, name in enumerate(COLOURS):
            found = pt.preprocess.estimate_baseline(traces.recording, baseline=name)
            errors[i, j, k] = 100 * np.sqrt(float(((found / traces.baseline - 1) ** 2).mean()))

figure, axes = plt.subplots(1, 3, figsize=(7, 3), sharey=True, layout="constrained")
for ax, rate, panel in zip(axes, RATES, errors.transpose(1, 0, 2), strict=True):
    for name, row in zip(COLOURS, panel, strict=True):
        ax.loglog(SNRS, row, "o-", color=COLOURS[name], label=name)
    ax.set(title=f"{rate} events a second", xlabel="peak over noise", xticks=SNRS)
    ax.set_xticks(SNRS, labels=SNRS)
    ax.minorticks_off()
axes[0].set_ylabel("rms error of F0 [%]")
axes[0].set_yticks([0.5, 1, 2, 5, 10, 20, 40], labels=[0.5, 1, 2, 5, 10, 20, 40])
figure.legend(
    *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False
)

# %%
# What it does to ΔF/F
# --------------------
# A baseline that is a fifth too low makes a steady cell look active all the time, and its
# transients larger by a quarter.

changes = {
    name: pt.preprocess.delta_f_over_f(truth.recording, baseline=name)
    for name in ("minimum", "percentile")
}
figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
part = {"neuron": 0, "time": slice(100, 130)}
for name, change in changes.items():
    slow = change.rolling(time=9, center=True).mean().sel(part)
    ax.plot(slow.time, slow, color=COLOURS[name], label=name)
shown = truth.change.sel(part)
ax.plot(shown.time, shown, color="black", linewidth=2, label="truth")
ax.axhline(0, color="#999999", linewidth=0.8)
ax.set(xlabel="time [s]", ylabel="ΔF/F, mean over 0.3 s")
ax.legend(frameon=False)

# %%
# Which window?
# -------------
# Long enough to hold quiet stretches, shorter than the drift. Between 20 and 40 s little changes
# here.

for window in (5, 10, 20, 30, 40, 60, 120):
    found = pt.preprocess.estimate_baseline(truth.recording, window=window)
    error = 100 * np.sqrt(float(((found / truth.baseline - 1) ** 2).mean()))
    print(f"window {window:3d} s: rms error of F0 {error:.1f} %")

# %%
# Voxels without a baseline
# -------------------------
# Where the baseline comes near zero, the ratio means nothing. Such voxels are NaN, and a warning
# counts them; z-scores, which have no baseline at all, are answered likewise.

import warnings

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    pt.preprocess.delta_f_over_f(pt.preprocess.zscore(truth.recording))
print(caught[0].message)
