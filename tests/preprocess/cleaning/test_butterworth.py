"""A filter is as long at its ends as scipy asks, and leaves half at its cuts."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

from partita.preprocess.cleaning import butterworth

CUTS = {
    "lowpass": {"cutoff": 0.1},
    "highpass": {"cutoff": 0.02},
    "bandpass": {"lowcut": 0.02, "highcut": 0.1},
}


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", CUTS)
def test_the_ends_are_as_long_as_scipy_takes_them(kind, order):
    chosen = butterworth.design(kind, CUTS[kind], order, 0.5, keep_mean=False)
    courses = np.random.default_rng(0).standard_normal((chosen.edge + 1, 2))
    expected = scipy.signal.sosfiltfilt(chosen.sections, courses, axis=0)
    found = butterworth.apply(courses.copy(), chosen=chosen)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    with pytest.raises(ValueError, match="padlen"):
        scipy.signal.sosfiltfilt(chosen.sections, courses[:-1], axis=0)
    with pytest.raises(ValueError, match=f"needs more than {chosen.edge} samples"):
        butterworth.require_length(chosen.edge, 2.0, chosen.edge, kind, CUTS[kind])


@pytest.mark.parametrize("kind", CUTS)
def test_half_of_the_amplitude_is_left_at_the_cuts_after_both_runs(kind):
    chosen = butterworth.design(kind, CUTS[kind], 4, 0.5, keep_mean=False)
    _, response = scipy.signal.freqz_sos(chosen.sections, list(CUTS[kind].values()), fs=0.5)
    np.testing.assert_allclose(np.abs(response) ** 2, 0.5, rtol=1e-6)


@pytest.mark.parametrize(("kind", "keep_mean", "left"), [
    ("lowpass", False, 7.0), ("highpass", True, 7.0), ("highpass", False, 0.0),
])  # fmt: skip
def test_a_constant_is_kept_where_it_is_to_be(kind, keep_mean, left):
    chosen = butterworth.design(kind, CUTS[kind], 4, 0.5, keep_mean=keep_mean)
    found = butterworth.apply(np.full((100, 1), 7.0), chosen=chosen)
    np.testing.assert_allclose(found, left, atol=1e-12)
