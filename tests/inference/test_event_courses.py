import numpy as np
from scipy.stats import gamma

from partita.inference.event_courses import event_course


def test_a_boxcar_is_the_share_of_each_sample_that_events_fill() -> None:
    onset, duration = np.array([1.0, 4.5]), np.array([2.0, 0.25])
    course = event_course(onset, duration, step=1.0, response="boxcar")
    np.testing.assert_allclose(course(np.arange(6.0)), [0, 1, 1, 0, 0.25, 0])
    np.testing.assert_allclose(course(np.arange(6.0) - 0.5), [0, 0.5, 1, 0.5, 0, 0.25])


def test_an_instant_counts_as_one_sample() -> None:
    course = event_course(np.array([2.0]), np.array([0.0]), step=0.5, response="boxcar")
    np.testing.assert_allclose(course(np.arange(1.0, 4.0, 0.5)), [0, 0, 1, 0, 0, 0])


def test_the_hemodynamic_response_is_the_double_gamma_over_the_event() -> None:
    course = event_course(np.array([3.0]), np.array([8.0]), step=0.1, response="hemodynamic")
    fine = np.arange(0, 60, 0.001)
    density = gamma.pdf(fine, 6) - gamma.pdf(fine, 16) / 6
    box = ((fine >= 3) & (fine < 11)).astype(float)
    expected = np.convolve(box, density)[: fine.size] * 0.001
    times = np.arange(0, 34, 0.1)
    np.testing.assert_allclose(course(times - 0.05), np.interp(times, fine, expected), atol=2e-3)
