"""
Motion correction: see it, measure it, trust it
===============================================

Tissue that moves looks like tissue that is active. A simulated fUSI recording, whose motion and
sources are known, shows what motion does to a factorisation, how well it is taken out, and which
frames not to believe.
"""

import matplotlib.pyplot as plt
import numpy as np
import scipy.optimize

import partita as pt

# A slice that shakes as an awake mouse does: 30 µm of jitter, jumps to 0.23 mm, 0.2° of rotation.
shaking = {"motion": 0.03, "transient": 0.23, "rotation": 0.2}
truth = pt.datasets.simulate_fusi(n_times=400, **shaking, random_state=0)
recording = truth["recording"]

# %%
# See it
# ------
# :func:`~partita.preprocess.estimate_motion` follows every frame against a reference that no
# single frame decides. The answer is a labelled Dataset in millimetres and radians, and
# :func:`~partita.plotting.plot_motion` draws it.

motion = pt.preprocess.estimate_motion(recording)
pt.plotting.plot_motion(motion, title="Simulated mouse")

# %%
# Motion is largest where the image is steep. The standard deviation over time shows vessel walls
# before, and what is left of activity and speckle after.

still = pt.preprocess.apply_motion(recording, motion)

figure, axes = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
for ax, name, given in zip(axes, ("as recorded", "registered"), (recording, still), strict=True):
    relative = given.isel(z=0).std("time") / given.isel(z=0).mean("time")
    relative.attrs.update(long_name="Standard deviation / mean", units="1")
    pt.plotting.plot_map(relative, ax=ax, vmin=0.1, vmax=0.35, title=name)

# %%
# Measure it
# ----------
# Here the truth is known. The place of a reference is arbitrary, so the offset that all frames
# share is taken out; what remains is compared at every voxel.


def error_field(motion, truth):
    """Return the distance between found and true places, (time, y, x), in micrometres."""
    y, x = recording["y"].values, recording["x"].values
    places = np.stack([*np.meshgrid(y, x, indexing="ij"), np.ones((len(y), len(x)))], axis=-1)
    found, known = motion["affine"].values, truth["affine"].values
    common = np.median(np.linalg.inv(known) @ found, axis=0)
    error = np.einsum("tij,yxj->tyxi", found - known @ common, places)
    return 1e3 * np.sqrt((error[..., :2] ** 2).sum(-1))


by_frame = error_field(motion, truth).mean((1, 2))
print(f"mean {by_frame.mean():.2f} µm, worst frame {by_frame.max():.2f} µm, voxels of 48 x 100 µm")

figure, ax = plt.subplots(figsize=(6, 2.4), layout="constrained")
ax.plot(recording["time"], by_frame, color="#0072B2", linewidth=0.8)
ax.set(xlabel="time [s]", ylabel="mean error [µm]", ylim=(0, None))

# %%
# What it is worth
# ----------------
# NMF of the recording as it is finds motion; of the registered one, the sources. Linear
# interpolation blurs each frame by an amount that follows the motion, and loses part of the gain.


def score(given):
    """Match the parts that NMF finds with the true sources; mean correlation of the maps."""
    signed = given.pipe(pt.preprocess.zscore).pipe(pt.preprocess.split_sign)
    maps = pt.preprocess.merge_sign(pt.NMF(10, random_state=0).fit(signed).maps_)
    alike = np.corrcoef(np.abs(maps.values.reshape(10, -1)), truth["maps"].values.reshape(10, -1))
    alike = alike[:10, 10:]
    return alike[scipy.optimize.linear_sum_assignment(-alike)].mean()


linear = pt.preprocess.apply_motion(recording, motion, interpolation="linear")
unmoved = pt.datasets.simulate_fusi(n_times=400, random_state=0)["recording"]
scores = {
    "as recorded": score(recording),
    "registered, linear": score(linear),
    "registered, cubic": score(still),
    "never moved": score(unmoved),
}

figure, ax = plt.subplots(figsize=(6, 2), layout="constrained")
ax.barh(list(scores), list(scores.values()), color=["#999999", "#56B4E9", "#0072B2", "#009E73"])
ax.invert_yaxis()
ax.set(xlabel="correlation of found and true maps", xlim=(0, 1))

# %%
# Trust it, but not every frame
# -----------------------------
# Frames can be beyond help: dropped, saturated, torn. Nothing is hidden: they are suspect, and
# their neighbours never notice. A frame without content takes the motion between its neighbours; a
# torn one keeps what was found for it, and its similarity tells what that is worth.

spoilt = recording.copy(deep=True)
spoilt[100:104] = 0
spoilt[200] = 6e4
spoilt[300] = spoilt[300].values[:, ::-1]

checked = pt.preprocess.estimate_motion(spoilt)
pt.plotting.plot_motion(checked, title="With six spoilt frames")

# %%
# The registered recording carries its motion along time, ready to leave such frames out before a
# factorisation or to serve as confounds.

registered = pt.preprocess.register(spoilt)
kept = registered.isel(time=~registered["suspect"].values)
kept.sizes, list(registered["suspect"].values.nonzero()[0])
