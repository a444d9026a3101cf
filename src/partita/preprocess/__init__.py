"""Recordings made ready for a decomposition: pure functions from DataArray to DataArray."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from partita.preprocess.cleaning.censoring import censor
    from partita.preprocess.cleaning.confounds import compcor, regress_out
    from partita.preprocess.cleaning.drifts import detrend
    from partita.preprocess.cleaning.filtering import bandpass, highpass, lowpass
    from partita.preprocess.cleaning.resampling import resample_time
    from partita.preprocess.cleaning.smoothing import smooth
    from partita.preprocess.fluorescence.delta_f import delta_f_over_f
    from partita.preprocess.fluorescence.f0 import estimate_baseline
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

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "cleaning.censoring": ["censor"],
        "cleaning.confounds": ["compcor", "regress_out"],
        "cleaning.drifts": ["detrend"],
        "cleaning.filtering": ["bandpass", "highpass", "lowpass"],
        "cleaning.resampling": ["resample_time"],
        "cleaning.smoothing": ["smooth"],
        "fluorescence.delta_f": ["delta_f_over_f"],
        "fluorescence.f0": ["estimate_baseline"],
        "masks": ["brain_mask", "intensity_mask"],
        "motion.estimation": ["estimate_motion"],
        "motion.registration": ["apply_motion", "register"],
        "quality": ["dvars", "temporal_mean", "tsnr"],
        "scaling": ["zscore"],
        "signs": ["merge_sign", "rectify", "split_sign"],
    },
)
