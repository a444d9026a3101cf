"""
On a cluster
============

When a ``dask.distributed`` client is there, a fit of a recording on disk uses it; otherwise it uses
the threads of this machine. Nothing else in the script changes, and the answer does not either.
The cluster of this page is two workers in one process, so that it runs anywhere; the guide shows
how to get a real one.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from distributed import Client, LocalCluster

import partita as pt

# %%
# A session that every worker can read
# ------------------------------------
# On a real cluster it lies on a shared file system, or in a Zarr store on object storage. It is
# saved as it will be read: dF/F, positive, in blocks of time.

folder = Path(tempfile.mkdtemp())
power = pt.datasets.simulate_fusi(
    n_times=900, shape=(1, 160, 240), n_components=6, spacing=(0.4, 0.1, 0.1), random_state=0
)["recording"].isel(z=0)
changes = pt.preprocess.delta_f_over_f(power, baseline="mean", rectify=True)
pt.save(changes, folder / "session.nc")
recording = pt.load(folder / "session.nc", chunks={"time": 100})
print(f"{recording.nbytes / 1e6:.0f} MB in {recording.data.npartitions} blocks")

# %%
# First without a cluster
# -----------------------

nmf = pt.NMF(n_components=6, random_state=0).fit(recording)

# %%
# Then with one
# -------------
# The client is not handed over: making it is enough. ``client.dashboard_link`` shows the fit while
# it runs.

cluster = LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0")
client = Client(cluster)

on_cluster = pt.NMF(n_components=6, random_state=0).fit(recording)

pt.plotting.plot_components(on_cluster, components=[0, 1, 2, 3])

# %%
# The two agree to rounding: sums over blocks are added up in another order.

difference = float(on_cluster.losses_[-1] / nmf.losses_[-1] - 1)
flat = [m.maps_.values.reshape(6, -1) for m in (nmf, on_cluster)]
agreement = np.corrcoef(*flat)[:6, 6:].max(1)
print(f"loss {difference:+.1e}; correlations of the maps {agreement.round(5)}")

# %%
# A worker that dies
# ------------------
# A pass depends on nothing but the recording and the factors, which the client holds. Here a
# worker leaves in the third iteration; its share is read again by the one that is left.


def let_one_go(state) -> None:
    if state.iteration == 3:
        client.retire_workers([next(iter(client.nthreads()))])


bereft = pt.NMF(n_components=6, random_state=0).fit(recording, callback=let_one_go)
print(
    f"{len(client.nthreads())} worker left; loss "
    f"{float(bereft.losses_[-1] / nmf.losses_[-1] - 1):+.1e}"
)
client.close()
cluster.close()

# %%
# How many workers are worth having
# ---------------------------------
# The recording is read where it is worked on. What moves in an iteration are the maps, to every
# worker, and sums of their size, back from every thread. With few time points to a component, that
# soon is more than what is read; the file system is usually the limit before.

workers = np.arange(1, 201)
figure, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
for (n_times, k), colour in zip(
    [(600, 20), (3000, 20), (3000, 5)], ["#D55E00", "#0072B2", "#009E73"], strict=True
):
    ax.plot(workers, 2 * k * workers / n_times, color=colour, label=f"{n_times} times, {k} parts")
ax.axhline(1, color="#999999", linewidth=0.8)
ax.set(xlabel="workers", ylabel="bytes moved / bytes read", xscale="log", yscale="log")
ax.legend(frameon=False)
