"""Recordings made ready for a decomposition: pure functions from DataArray to DataArray."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from partita.preprocess.cleaning.censoring import censor
    from partita.preprocess.cleaning.confounds import compcor, regress_out
    from partita.preprocess.cleaning.drifts import detrend
    from partita.preprocess.cleaning.filtering import bandpass, highpass, lowpass
    from partita.preprocess.cleaning.resampling import resample_time
    from partita.preprocess.cleaning.smoothing import smooth
    from partita.preprocess.fluorescence.baselines import delta_f_over_f, estimate_baseline
    from partita.preprocess.masks import brain_mask, intensity_mask
    from partita.preprocess.motion.estimation import estimate_motion
    from partita.preprocess.motion.registration import apply_motion, register
    from partita.preprocess.quality import dvars, temporal_mean, tsnr
    from partita.preprocess.scaling import zscore
    from partita.preprocess.signs import merge_sign, rectify, split_sign

__all__ = [
    "apply_motion",
    "bandpass",
    "brain_mask",
    "censor",
    "compcor",
    "delta_f_over_f",
    "detrend",
    "dvars",
    "estimate_baseline",
    "estimate_motion",
    "highpass",
    "intensity_mask",
    "lowpass",
    "merge_sign",
    "rectify",
    "register",
    "regress_out",
    "resample_time",
    "smooth",
    "split_sign",
    "temporal_mean",
    "tsnr",
    "zscore",
]

_HOMES = {
    "apply_motion": "motion.registration",
    "bandpass": "cleaning.filtering",
    "brain_mask": "masks",
    "censor": "cleaning.censoring",
    "compcor": "cleaning.confounds",
    "delta_f_over_f": "fluorescence.baselines",
    "detrend": "cleaning.drifts",
    "dvars": "quality",
    "estimate_baseline": "fluorescence.baselines",
    "estimate_motion": "motion.estimation",
    "highpass": "cleaning.filtering",
    "intensity_mask": "masks",
    "lowpass": "cleaning.filtering",
    "merge_sign": "signs",
    "rectify": "signs",
    "register": "motion.registration",
    "regress_out": "cleaning.confounds",
    "resample_time": "cleaning.resampling",
    "smooth": "cleaning.smoothing",
    "split_sign": "signs",
    "temporal_mean": "quality",
    "tsnr": "quality",
    "zscore": "scaling",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
