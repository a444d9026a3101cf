"""
Your own arrays: anything with a time dimension
===============================================

Nothing in Partita asks for voxels. Name the dimensions of an array, say what its axes are, and it
is a recording: here the envelopes of eight muscles, a spectrogram, and the spike counts of three
hundred neurons.
"""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

import partita as pt

rng = np.random.default_rng(0)

# %%
# A table: muscles over time
# --------------------------
# Walking is said to need a handful of muscle synergies: groups that are driven together. Two are
# made here, playing in alternation through ten steps.

seconds = np.arange(0, 10, 0.01)
muscles = ["GMed", "VMed", "VLat", "RFem", "BFem", "Tibi", "GasM", "Sole"]
drive = np.stack(
    [np.exp(-(((seconds % 1.0) - centre) ** 2) / 0.02) for centre in (0.25, 0.65)], axis=1
)
synergies = np.array([[0.9, 0.8, 0.9, 0.6, 0.1, 0, 0, 0.1], [0, 0, 0.1, 0, 0.3, 0.2, 0.9, 1.0]])
envelopes = np.abs(drive @ synergies + 0.05 * rng.standard_normal((seconds.size, len(muscles))))

emg = xr.DataArray(
    envelopes,
    dims=("time", "muscle"),
    coords={"time": ("time", seconds, {"units": "s"}), "muscle": muscles},
    attrs={"long_name": "EMG envelope", "units": "a.u."},
)
nmf = pt.NMF(n_components=2, random_state=0).fit(emg)
nmf.maps_.to_pandas().round(2)

# %%
# Labels came along: the maps know their muscles, and the signals their seconds.

figure, (left, right) = plt.subplots(
    1, 2, figsize=(7.5, 2.6), width_ratios=[2, 3], layout="constrained"
)
nmf.maps_.to_pandas().T.plot.bar(ax=left, width=0.8, color=["#0072B2", "#D55E00"], legend=False)
left.set(xlabel="", ylabel="weight")
pt.plotting.plot_signals(nmf.signals_.sel(time=slice(0, 4)), ax=right)

# %%
# A spectrogram: frequencies over time
# ------------------------------------
# Three notes, played one after the other and once together. A loss that suits loudness, which
# spans decades, is Kullback–Leibler's.

rate = 8000
notes = {"C": 261.6, "E": 329.6, "G": 392.0}
score = [("C",), ("E",), ("G",), ("E",), ("C",), ("C", "E", "G")]
beat = np.arange(rate // 2) / rate
decay = np.exp(-4 * beat)
sound = np.concatenate(
    [
        sum(
            decay * np.sin(2 * np.pi * n * notes[name] * beat) / n
            for name in chord
            for n in (1, 2, 3)
        )
        for chord in score
    ]
)
window, hop = 1024, 256
frames = np.lib.stride_tricks.sliding_window_view(sound, window)[::hop]
magnitude = np.abs(np.fft.rfft(frames * np.hanning(window)))[:, :200]

spectrogram = xr.DataArray(
    magnitude,
    dims=("time", "frequency"),
    coords={
        "time": ("time", np.arange(len(magnitude)) * hop / rate, {"units": "s"}),
        "frequency": ("frequency", np.fft.rfftfreq(window, 1 / rate)[:200], {"units": "Hz"}),
    },
    attrs={"long_name": "magnitude", "units": "a.u."},
)
melody = pt.NMF(n_components=3, loss="kullback-leibler", random_state=0).fit(spectrogram)
pitch = melody.maps_.idxmax("frequency")
for component in melody.maps_["component"].values:
    print(f"component {component}: loudest at {float(pitch.sel(component=component)):.0f} Hz")

# %%

pt.plotting.plot_signals(melody.signals_)

# %%
# Spike counts: mostly zeros
# --------------------------
# :func:`~partita.from_sparse` labels a scipy.sparse matrix; the fit never makes it dense. Two
# assemblies of thirty neurons each fire now and then among three hundred.

import scipy.sparse

counts = rng.poisson(0.02, (2000, 300))
for first, start in ((0, 0), (30, 40)):
    for onset in range(start, 2000, 97):
        counts[onset : onset + 5, first : first + 30] += rng.poisson(0.8, (5, 30))

spikes = pt.from_sparse(
    scipy.sparse.csr_array(counts.astype("float32")),
    dims=("time", "neuron"),
    coords={"time": ("time", np.arange(2000) * 0.025, {"units": "s"}), "neuron": range(300)},
    attrs={"long_name": "spike count", "units": "1"},
)
print(f"{spikes.data.density:.1%} of the entries are stored")

assemblies = pt.NMF(n_components=2, random_state=0).fit(spikes)
for component, weights in zip((0, 1), assemblies.maps_.values, strict=True):
    members = np.flatnonzero(weights > weights.max() / 3)
    print(f"assembly {component}: neurons {members.min()} to {members.max()}, {members.size} cells")

# %%
# An array without names is refused, with the way out of it.

try:
    pt.NMF(n_components=2).fit(envelopes)
except TypeError as error:
    print(error)
