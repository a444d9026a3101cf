"""
Forty sessions, one set of maps
===============================

An animal comes back day after day, and the same parts play each day in another way. One
factorisation of all sessions gives maps that can be compared across days, if only the sessions
fitted into memory together. They need not: given the signals, a fit sees of the data no more than
its products with them, and these are as small as a few maps.

Forty short sessions are simulated here, and written to disk. All share the maps of three sources;
in the course of the days one source fades and another grows.
"""

import tempfile
import tracemalloc
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

import partita as pt

tissue = pt.datasets.simulate_fusi(
    n_times=2, shape=(1, 57, 40), n_components=3, spacing=(0.4, 0.1, 0.2), random_state=0
)
true_maps = tissue["maps"].astype("float32")
rng = np.random.default_rng(0)
folder = Path(tempfile.mkdtemp())
n_days, n_times = 40, 200
strength = np.stack([np.linspace(2, 0.3, n_days), np.linspace(0.3, 2, n_days), np.ones(n_days)])

paths, recordings = {}, []
for day in range(n_days):
    courses = (rng.gamma(0.6, 1.0, (n_times, 3)) * strength[:, day]).astype("float32")
    signals = xr.DataArray(
        courses,
        dims=("time", "component"),
        coords={"time": ("time", 0.3 * np.arange(n_times), {"units": "s", "long_name": "time"})},
    )
    clean = xr.dot(signals, true_maps, dim="component")
    noise = 0.15 * rng.random(clean.shape, dtype="float32")
    recording = (clean + noise).rename("activity").assign_attrs(units="1", long_name="activity")
    paths[f"day {day + 1:02d}"] = folder / f"{day:02d}.nc"
    recordings.append(recording)  # for the comparison at the end
    pt.save(recording, folder / f"{day:02d}.nc")

# %%
# One call
# --------
# ``fit_sessions`` takes recordings or paths. It reads one session at a time: in the first pass to
# fold it into the maps, in the second for its share of a sketch of all, and a last time to solve
# its signals exactly. ``verbose=1`` would show a bar.

nmf = pt.NMF(n_components=3, random_state=0).fit_sessions(paths)

nmf.fit_report_, nmf.converged_

# %%
# The maps are common to all days.

figure, axes = plt.subplots(1, 3, figsize=(9, 2.4), layout="constrained")
for component, ax in zip(nmf.maps_["component"].values, axes, strict=True):
    pt.plotting.plot_map(nmf.maps_.sel(component=component), ax=ax)

# %%
# The signals lie one session after the other along time, and ``session`` says whose they are, so
# that xarray can group them.

by_day = nmf.signals_.groupby("session").mean()
colours = ["#0072B2", "#D55E00", "#009E73"]

figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
days = np.arange(1, n_days + 1)
for component, colour in zip(by_day["component"].values, colours, strict=True):
    ax.plot(days, by_day.sel(component=component), "o-", color=colour, label=f"part {component}")
ax.set(xlabel="day", ylabel="mean signal", ylim=(0, None))
ax.legend(frameon=False)

# %%
# Signals of single days are one selection away.

chosen = ["day 01", "day 20", "day 40"]
figure, axes = plt.subplots(1, 3, figsize=(9, 3), sharey=True, layout="constrained")
for day, ax in zip(chosen, axes, strict=True):
    signals = nmf.signals_[nmf.signals_["session"] == day]
    for component, colour in zip(signals["component"].values, colours, strict=True):
        ax.plot(signals["time"], signals.sel(component=component), color=colour, linewidth=0.8)
    ax.set(title=day, xlabel="time [s]")
axes[0].set_ylabel("signal [1]")

# %%
# What it held in memory
# ----------------------
# The peak comes from the start, which is an ordinary fit of one session, and stays where it is
# however many sessions follow; only the signals, a few numbers a frame, grow with them.


def peak_of_a_fit(n_sessions: int) -> int:
    tracemalloc.start()
    pt.NMF(n_components=3, random_state=0).fit_sessions(list(paths.values())[:n_sessions])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


counts = np.array([1, 3, 6])
peaks = np.array([peak_of_a_fit(count) for count in counts])
figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
ax.plot(counts, peaks / 2**20, "o-", color="#0072B2", label="peak of the fit")
ax.plot([0, 40], np.array([0, 40]) * recording.nbytes / 2**20, color="#999999", label="all of them")
ax.set(xlabel="sessions", ylabel="memory [MiB]", xlim=(0, 40), ylim=(0, None))
ax.legend(frameon=False)

# %%
# As good as the fit of everything
# --------------------------------
# These sessions do fit into memory together, so the two can be compared: the loss of the joined
# recording, and its maps.

joined = xr.concat(recordings, "time")
whole = pt.NMF(n_components=3, random_state=0).fit(joined)
cosines = nmf.maps_.values.reshape(3, -1) @ whole.maps_.values.reshape(3, -1).T
excess = nmf.reconstruction_err_**2 / whole.reconstruction_err_**2 - 1
print(f"loss above that of the whole: {excess:.1e}; cosines of the maps:", cosines.max(1).round(4))

# %%
# A session that arrives tomorrow
# -------------------------------
# ``partial_fit`` folds one more session in. The order of the maps and their labels stay, the
# signals are those of the new session, and the data of the others are not needed again. A session
# given twice counts once.

nmf.partial_fit(recording.isel(time=slice(60)))
nmf.n_sessions_, nmf.signals_.sizes
