"""How well signals follow events, and how late."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, get_args

import numpy as np
import xarray as xr

from partita._labels.attrs import append_history, describe_call
from partita._labels.checks import require_dense, require_features, require_recording
from partita._labels.events import Events, events_of, require_inside
from partita._labels.numbers import require_amounts
from partita._labels.time import sample_times
from partita.inference.event_courses import Array, Response, event_course

_CALLER = "correlate_events"
# Lags are tried every quarter of a sample, and not more than so many.
_MOST_LAGS = 240


class _Run(NamedTuple):
    """One stretch of signals (n_samples, n_components), its times in s, and its events."""

    values: Array
    times: Array
    step: float
    events: Events


def correlate_events(
    signals: xr.DataArray | Sequence[xr.DataArray],
    events: Any,
    *,
    response: Response = "boxcar",
    longest_lag: float = 10.0,
    sample_dim: str = "time",
) -> xr.Dataset:
    """Correlate signals with the events of each kind, at once and at the lag that fits best.

    What is expected is the boxcar of the events, or the hemodynamic response to it; each run is
    centred by itself, and all runs are correlated as one. The best of many lags is larger than
    any one of them by chance too: `lagged_correlation` describes, it tests nothing.

    Parameters
    ----------
    signals : xarray.DataArray, (time, component), or sequence of them
        As a model's ``signals_``; another dimension may stand for ``component``. Several runs are
        a list, or one array with the coordinate ``session``, as `NMF.fit_sessions` gives it.
    events : xarray.Dataset over `event`, pandas.DataFrame, or mapping of columns
        With `onset`, `duration` (s, in the time of `signals`) and `trial_type`, as `load_events`
        gives them. Of several runs, a list of such tables in their order.
    response : {"boxcar", "hemodynamic"}
        What is expected: 1 while an event lasts and 0 else, or SPM's double gamma [1]_ convolved
        with that, for BOLD and blood volume. An instant counts as one sample.
    longest_lag : float
        s. Signals are looked for from 0 to so long after the events.
    sample_dim : str
        The dimension of samples.

    Returns
    -------
    xarray.Dataset, (component, trial_type)
        ``correlation`` without a lag, from -1 to 1; ``lag``, s, at which it is largest in
        magnitude; ``lagged_correlation`` there. NaN where a signal never changes, or events of a
        kind fill all of the recording or lie outside it.

    Raises
    ------
    TypeError
        If `signals` are no DataArray, or `events` no table.
    ValueError
        If signals have no times in seconds, or NaN; if no event falls into a run, or there are not
        as many tables as runs.

    Warns
    -----
    UserWarning
        If some events lie outside the recording, or their durations are not known.

    References
    ----------
    .. [1] Friston et al. 1998, Event-related fMRI: characterizing differential responses,
       NeuroImage 7:30-40.

    Examples
    --------
    >>> times = np.arange(0.0, 60.0, 0.5)
    >>> sounds = {"onset": [10.0, 40.0], "duration": [5.0, 5.0], "trial_type": ["tone"] * 2}
    >>> late = ((times % 30 >= 12) & (times % 30 < 17)).astype(float)
    >>> signals = xr.DataArray(late[:, None], dims=("time", "component"), coords={"time": times})
    >>> found = partita.inference.correlate_events(signals, sounds)
    >>> found.lag.values, found.lagged_correlation.values
    (array([[2.]]), array([[1.]]))
    """
    _refuse_options(response, longest_lag)
    pairs = _paired(signals, events, sample_dim)
    runs = [_run(array, table, sample_dim) for array, table in pairs]
    kinds = list(dict.fromkeys(kind for run in runs for kind in run.events.kinds))
    lags = _lags(longest_lag, min(run.step for run in runs))
    found = np.stack([_correlations(runs, kind, lags, response) for kind in kinds], axis=-1)
    return _labelled(found, lags, kinds, pairs[0][0], sample_dim, response)


def _refuse_options(response: Any, longest_lag: Any) -> None:
    if response not in get_args(Response):
        raise ValueError(
            f"{_CALLER} knows the responses {', '.join(map(repr, get_args(Response)))}; given: "
            f"{response!r}."
        )
    require_amounts(_CALLER, longest_lag=longest_lag)


def _paired(signals: Any, events: Any, sample_dim: str) -> list[tuple[xr.DataArray, Any]]:
    arrays = list(signals) if isinstance(signals, list | tuple) else _sessions(signals, sample_dim)
    tables = list(events) if isinstance(events, list | tuple) else [events]
    if not arrays or len(arrays) != len(tables):
        raise ValueError(
            f"{_CALLER} needs a table of events for each run, and was given {len(arrays)} runs and "
            f"{len(tables)} tables. Give them as lists of one length: events=[first, second]."
        )
    features = [_features(array, sample_dim) for array in arrays]
    if any(one.sizes != features[0].sizes for one in features):
        raise ValueError(
            f"{_CALLER} needs runs with the same components; they have "
            f"{[dict(one.sizes) for one in features]}."
        )
    return list(zip(arrays, tables, strict=True))


def _sessions(signals: Any, sample_dim: str) -> list[xr.DataArray]:
    require_recording(signals, sample_dim=sample_dim, caller=_CALLER)
    if "session" not in signals.coords or signals["session"].dims != (sample_dim,):
        return [signals]
    names = signals["session"].to_index()
    return [signals.isel({sample_dim: names == name}) for name in dict.fromkeys(names)]


def _features(array: Any, sample_dim: str) -> xr.DataArray:
    require_recording(array, sample_dim=sample_dim, caller=_CALLER)
    require_dense(array, caller=_CALLER)
    require_features(array, sample_dim=sample_dim, caller=_CALLER)
    if array.ndim > 2:
        raise ValueError(
            f"{_CALLER} needs signals over {sample_dim!r} and one dimension more, and was given "
            f"{dict(array.sizes)}. Give a model's signals_, or stack the others: "
            "recording.stack(feature=[...])."
        )
    return array.isel({sample_dim: 0}, drop=True)


def _run(array: xr.DataArray, table: Any, sample_dim: str) -> _Run:
    if isinstance(table, Mapping) and not table:
        raise ValueError(f"{_CALLER} was given events without columns.")
    times = sample_times(array, sample_dim=sample_dim, caller=_CALLER)
    found = events_of(table, caller=_CALLER)
    require_inside(found, times, caller=_CALLER)
    values = np.asarray(array.transpose(sample_dim, ...).values, dtype=float)
    if not np.isfinite(values).all():
        raise ValueError(
            f"{_CALLER} needs finite signals; {int((~np.isfinite(values)).sum())} values are not. "
            f"Leave those samples out: signals.dropna({sample_dim!r})."
        )
    step = float(np.median(np.diff(times))) if times.size > 1 else 1.0
    return _Run(values - values.mean(axis=0), times, step, found)


def _lags(longest: float, step: float) -> Array:
    count = int(longest / (step / 4) + 1e-9) + 1
    if count > _MOST_LAGS:
        return np.linspace(0, longest, _MOST_LAGS + 1)
    return step / 4 * np.arange(count)


def _correlations(runs: list[_Run], kind: str, lags: Array, response: Response) -> Array:
    """Return the correlation at each lag with each signal, (n_lags, n_components)."""
    products = np.zeros((lags.size, runs[0].values.shape[1]))
    expected_power, signal_power = np.zeros((lags.size, 1)), np.zeros(products.shape[1])
    for run in runs:
        signal_power += (run.values**2).sum(axis=0)
        of_kind = np.array([one == kind for one in run.events.trial_type])
        if not of_kind.any():
            continue
        onset, duration = run.events.onset[of_kind], run.events.duration[of_kind]
        course = event_course(onset, duration, step=run.step, response=response)
        expected = np.stack([course(run.times - lag) for lag in lags])
        expected -= expected.mean(axis=1, keepdims=True)
        products += expected @ run.values
        expected_power += (expected**2).sum(axis=1, keepdims=True)
    scale = np.sqrt(expected_power * signal_power)
    # What is left of a constant by rounding has no direction.
    known = scale > 1e-12 * scale.max(initial=0.0)
    return np.where(known, products / np.where(known, scale, 1.0), np.nan)


def _labelled(
    found: Array, lags: Array, kinds: list[str], like: xr.DataArray, sample_dim: str, response: str
) -> xr.Dataset:
    best = np.abs(np.nan_to_num(found)).argmax(axis=0)
    lagged = np.take_along_axis(found, best[None], axis=0)[0]
    lag = np.where(np.isfinite(lagged), lags[best], np.nan)
    features = like.isel({sample_dim: 0}, drop=True)
    dims = (*features.dims, "trial_type")
    about = {
        "correlation": (found[0], "correlation", "1"),
        "lag": (lag, "lag behind the events", "s"),
        "lagged_correlation": (lagged, "correlation at the lag", "1"),
    }
    variables = {
        name: (dims, values, {"long_name": words, "units": unit})
        for name, (values, words, unit) in about.items()
    }
    result = xr.Dataset(variables, coords={**features.coords, "trial_type": kinds})
    if "history" in like.attrs:
        result.attrs["history"] = like.attrs["history"]
    return append_history(
        result, describe_call(_CALLER, response=response, longest_lag=float(lags[-1]))
    )
