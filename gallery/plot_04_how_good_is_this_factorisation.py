"""
How good is this factorisation? Residual, loss, and starts
==========================================================

Three questions to ask of any factorisation: has it converged, is the answer as good as another
program's, and would another start have ended elsewhere? A simulated fUSI recording answers them.
"""

import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
import sklearn.decomposition

import partita as pt

truth = pt.datasets.simulate_fusi(
    n_times=300, shape=(1, 57, 40), spacing=(0.4, 0.1, 0.2), random_state=0
)
signed = truth["recording"].pipe(pt.preprocess.zscore).pipe(pt.preprocess.split_sign)
matrix = signed.values.reshape(signed.sizes["time"], -1)


def half_squared_error(signals: np.ndarray, maps: np.ndarray) -> float:
    return 0.5 * float(((matrix - signals.astype("float64") @ maps.astype("float64")) ** 2).sum())


# %%
# Has it converged?
# -----------------
# A ``callback`` sees every iteration. The residual is the projected gradient of both factors,
# measured so that neither the scale of the data nor that of a component matters, relative to what
# the model leaves unexplained. It ends the fit when it falls below ``tol``.

trace = []
nmf = pt.NMF(n_components=10, solver="hals", init="nndsvda", n_starts=1, tol=1e-4, random_state=0)
nmf.fit(signed, callback=lambda state: trace.append((state.loss, state.residual)))
losses, residuals = np.array(trace).T

figure, ax = plt.subplots(figsize=(5.5, 3), layout="constrained")
steps = np.arange(1, len(losses) + 1)
ax.semilogy(steps, residuals, label="residual", color="#0072B2")
ax.semilogy(steps, losses / losses.min() - 1, label="loss above its final value", color="#D55E00")
ax.axhline(1e-3, color="#999999", linestyle=":", label="default tol")
ax.set(xlabel="iteration", ylim=(1e-7, None))
ax.legend(frameon=False)

# %%
# Beside the residual stands the largest relative decrease of the loss that changing one factor
# alone, all the way to its optimum, could still bring.

nmf.optimality_.to_pandas()

# %%
# As good as another program's?
# -----------------------------
# scikit-learn's coordinate descent is stopped after more and more iterations, to see its way down.
# The losses of both are computed in double precision, from the factors; the seconds are those of
# the machine that built this page.

theirs = []
for iterations in (5, 10, 20, 40, 80, 160, 320):
    model = sklearn.decomposition.NMF(
        10, init="nndsvda", tol=0, max_iter=iterations, random_state=0
    )
    begin = time.perf_counter()
    with warnings.catch_warnings(action="ignore"):  # that it has not converged is the point here
        signals = model.fit_transform(matrix)
    seconds = time.perf_counter() - begin
    theirs.append((seconds, half_squared_error(signals, model.components_)))

begin = time.perf_counter()
ours = pt.NMF(n_components=10, random_state=0).fit(signed)
seconds = time.perf_counter() - begin
loss = half_squared_error(ours.signals_.values, ours.maps_.values.reshape(10, -1))

best = min(loss, *(value for _, value in theirs))
figure, ax = plt.subplots(figsize=(5.5, 3), layout="constrained")
ax.semilogy(
    [second for second, _ in theirs],
    [value / best - 1 + 1e-7 for _, value in theirs],
    "o-",
    color="#D55E00",
    label="scikit-learn, 5 to 320 iterations",
)
ax.plot(seconds, loss / best - 1 + 1e-7, "*", markersize=12, color="#0072B2", label="Partita")
ax.set(xlabel="seconds", ylabel="loss above the best, relative", xlim=(0, None))
ax.legend(frameon=False)

# %%
# The report says which way the fit took and where its time went.

ours.fit_report_

# %%
# Would another start have ended elsewhere?
# -----------------------------------------
# The problem has many local minima, and single random starts end in different ones. ``n_starts``
# tries several, on a small sketch of the recording, and goes on with the best. Here are twelve fits
# of each kind.

single, several = [], []
for seed in range(12):
    one = pt.NMF(n_components=10, init="random", n_starts=1, random_state=seed).fit(signed)
    best_of_six = pt.NMF(n_components=10, n_starts=6, random_state=seed).fit(signed)
    single.append(float(one.losses_[-1]))
    several.append(float(best_of_six.losses_[-1]))

lowest = min(*single, *several)
figure, ax = plt.subplots(figsize=(5.5, 2.2), layout="constrained")
for row, values in enumerate((several, single)):
    excess = np.array(values) / lowest - 1
    ax.plot(1e4 * excess, np.full(12, row), "o", alpha=0.5, color="#0072B2")
ax.set(
    yticks=[0, 1],
    yticklabels=["best of six", "one start"],
    ylim=(-0.6, 1.6),
    xlabel="loss above the lowest of all, in units of 1e-4",
)

# %%
# Fits that end so close to each other describe the recording equally well, and may still differ in
# their weakest parts. Parts that come back from every start are the ones to build on: match the
# maps of two fits and look at their cosines.

import scipy.optimize

first = pt.NMF(n_components=10, random_state=0).fit(signed).maps_.values.reshape(10, -1)
second = pt.NMF(n_components=10, random_state=1).fit(signed).maps_.values.reshape(10, -1)
cosines = first @ second.T
pairs = scipy.optimize.linear_sum_assignment(-cosines)
print("cosine of matched maps:", np.sort(cosines[pairs])[::-1].round(3))
