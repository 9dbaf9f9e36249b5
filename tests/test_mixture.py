"""Scores of one and of two kinds, with a known border between them."""

import numpy as np
import pytest

from illus.clean.mixture import Separation, fit_mixture

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


def usual(seed, n=2000):
    """A Gaussian around -1.5 with an exponential right tail."""
    rng = np.random.default_rng(seed)
    return rng.normal(-1.5, 0.3, n) + rng.exponential(0.3, n)


@pytest.mark.parametrize("seed", [0, 1])
def test_two_kinds_are_told_apart(seed):
    rng = np.random.default_rng(100 + seed)
    low, high = usual(seed), rng.normal(2, 0.2, 100)
    found = fit_mixture(rng.permutation(np.concatenate([low, high])))
    assert found.share == pytest.approx(100 / 2100, abs=0.006)
    assert 0.3 < found.threshold < 1.6
    assert (low > found.threshold).mean() < 0.005
    assert (high > found.threshold).mean() > 0.97
    assert 50 < found.gain < 1000
    below, above = found.log_densities(np.array([found.threshold - 0.1, found.threshold + 0.1]))
    assert below[0] > above[0]
    assert below[1] < above[1]


@pytest.mark.parametrize("seed", [0, 1])
def test_one_kind_with_a_long_tail_is_one_kind(seed):
    scores = usual(seed)
    assert scores.max() > scores.mean() + 3 * scores.std(), "the tail is long"
    assert fit_mixture(scores) is None


def test_constant_scores_are_one_kind():
    assert fit_mixture(np.full(100, 2.0)) is None


@pytest.mark.parametrize(
    ("low", "high", "sizes"), [(-3.0, 3.0, (950, 50)), (-1.0, 2.0, (90, 10)), (-1.5, 2.3, (70, 30))]
)
def test_two_spikes_have_a_border_between_them(low, high, sizes):
    found = fit_mixture(np.repeat([low, high], sizes))
    assert low < found.threshold < high
    assert found.share == pytest.approx(sizes[1] / sum(sizes), abs=0.01)


@pytest.mark.parametrize("seed", [4, 11])
def test_the_fitted_densities_are_no_wider_than_the_scores(seed):
    """30 of 100 far above the rest; logarithms of densities that cancel out must not win the fit."""
    rng = np.random.default_rng(seed)
    low, high = rng.normal(-1.5, 0.1, 70), rng.normal(2.3, 0.05, 30)
    found = fit_mixture(np.concatenate([low, high]))
    assert low.max() < found.threshold < high.min()
    assert found.share == pytest.approx(0.3, abs=0.01)
    assert found.usual[1] < 1


def test_densities_are_weighted_by_their_shares():
    even = Separation(0, 0.5, 0, (-1, 0.3, 0.1), (1, 0.3, 0.1))
    below, above = even.log_densities(np.array([-0.7, 0.0, 0.7]))
    np.testing.assert_allclose(below, above[::-1])
    rarer = Separation(0, 0.1, 0, (-1, 0.3, 0.1), (1, 0.3, 0.1)).log_densities(np.array([-0.7, 0.0, 0.7]))
    np.testing.assert_allclose(rarer[0] - below, np.log(0.9 / 0.5))
    np.testing.assert_allclose(rarer[1] - above, np.log(0.1 / 0.5))
    places = np.linspace(-10, 10, 4001)
    total = np.exp(np.logaddexp(*even.log_densities(places))).sum() * 0.005
    assert total == pytest.approx(1, abs=1e-3)
