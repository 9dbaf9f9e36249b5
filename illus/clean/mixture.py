"""Scores of one data set -> how many of them belong to a second kind, and from which score on.

In: an array of scores. Out: a :class:`Separation`, or None where there is one kind only. Nothing is
labelled: the shape of the distribution decides.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import exponnorm

BINS = 160
MIN_LOG_DENSITY = -28.0  # log density below which a score costs no more
MIN_SD = 0.05  # standard deviation that no component falls below


@dataclass(frozen=True)
class Separation:
    """Two kinds of scores, the usual below and the rare above."""

    threshold: float  # from here on a score more likely belongs to the rare kind
    share: float  # of the rare kind, 0 to 1
    gain: float  # log likelihood over one kind alone, less the price of its parameters; nats
    usual: tuple[float, float, float]  # mean, sd and right tail of the usual kind
    rare: tuple[float, float, float]  # right end, sd and left tail of the rare kind

    def log_densities(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log densities of the usual and the rare kind at scores, weighted by their shares."""
        usual, rare = _right_tailed(scores, *self.usual), _left_tailed(scores, *self.rare)
        return np.log1p(-self.share) + usual, np.log(self.share) + rare


def fit_mixture(scores: np.ndarray, at_least: float = 0.3) -> Separation | None:
    """Tell the rare high scores from the usual ones by fitting a mixture of two skewed densities.

    The usual kind is a Gaussian with an exponential right tail, because odd drawings thin out
    slowly; the rare kind is its mirror image. A point belongs to the rare kind where that is the
    likelier one: a local false discovery rate of one half (Efron 2004, *Large-scale simultaneous
    hypothesis testing*). There is a rare kind only if the mixture is better than the usual kind
    alone by the Bayesian information criterion (Schwarz 1978).

    Parameters
    ----------
    scores : numpy.ndarray
        float, shape (n,).
    at_least : float, default 0.3
        Lowest place of the rare kind's right end.

    Returns
    -------
    Separation or None
    """
    counts, edges = np.histogram(scores, BINS)
    places = (edges[1:] + edges[:-1]) / 2
    middle = np.median(scores)
    spread = max(MIN_SD, (np.percentile(scores, 84) - np.percentile(scores, 16)) / 2)

    def cost(log_density):
        return -(counts * np.maximum(log_density, MIN_LOG_DENSITY)).sum() / len(scores)

    widest = np.log(max(1.0, np.ptp(scores)))  # wider densities only break the arithmetic

    def width(logarithm):
        return MIN_SD + np.exp(min(logarithm, widest))

    def usual(p):
        return p[0], width(p[1]), width(p[2])

    def both(p):
        return Separation(
            0,
            expit(p[3]).clip(1e-9, 1 - 1e-9),
            0,
            usual(p),
            (at_least + np.exp(min(p[4], widest)), width(p[5]), width(p[6])),
        )

    start = [middle - spread / 2, np.log(0.7 * spread), np.log(0.7 * spread)]
    alone = _minimise(lambda p: cost(_right_tailed(places, *usual(p))), start)
    fits = [
        _minimise(
            lambda p: cost(np.logaddexp(*both(p).log_densities(places))),
            [*alone.x, odds, np.log(place), np.log(0.3), np.log(0.3)],
        )
        for odds in (-4.5, -2)
        for place in (0.5, 1.0, 1.5)
    ]
    best = min(fits, key=lambda fit: fit.fun)
    gain = (alone.fun - best.fun) * len(scores) - 2 * np.log(len(scores))  # 4 parameters more
    if gain <= 0:
        return None
    found = both(best.x)
    below, above = found.log_densities(places)
    unlikely = np.flatnonzero(above[: above.argmax() + 1] < below[: above.argmax() + 1])
    threshold = edges[unlikely[-1] + 1] if len(unlikely) else edges[0]
    return Separation(float(threshold), float(found.share), float(gain), found.usual, found.rare)


def _minimise(function, start):
    options = {"maxiter": 4000, "xatol": 1e-4, "fatol": 1e-9, "adaptive": True}
    return minimize(function, start, method="Nelder-Mead", options=options)


def _right_tailed(x, mean, sd, tail):
    return exponnorm.logpdf(x, tail / sd, mean, sd)


def _left_tailed(x, end, sd, tail):
    return exponnorm.logpdf(-x, tail / sd, -end, sd)
