"""How soon a fault could be noticed at best: the time its expected evidence needs to reach a bar.

The bar is one false alarm in 30 days for one cohort watched by the minute. The evidence is the
censored-data likelihood ratio of the true cohort on the step that was hit, with the true chances,
effect and lags known; nobody who has to learn them can be sooner on average.
"""

import numpy as np
from scipy.special import ndtr

from recoup.demo.world.shop import MINUTE, Floats, Ints

BAR = float(np.log(30 * 24 * 60))


def bernoulli_divergence(hurt: Floats, sound: Floats) -> Floats:
    """Return the expected log-likelihood ratio of one trial that succeeds as ``hurt`` says."""
    low, high = np.clip(hurt, 1e-12, 1 - 1e-9), np.clip(sound, 1e-12, 1 - 1e-9)
    return np.asarray(low * np.log(low / high) + (1 - low) * np.log((1 - low) / (1 - high)))


def minutes_to_notice(
    ages: Ints, chance: Floats, drop: Floats, lag: tuple[float, float]
) -> float | None:
    """Return the minutes from the onset until the expected evidence reaches the bar.

    ``ages`` are the times of the trials since the onset, in milliseconds. None when even all the
    trials together do not suffice.
    """
    median, spread = lag

    def evidence(until: float) -> float:
        seen = ages < until
        waited = np.maximum((until - ages[seen]) / 1000, 1e-3)
        ripe = chance[seen] * ndtr(np.log(waited / median) / spread)
        return float(bernoulli_divergence(ripe * (1 - drop[seen]), ripe).sum())

    if not len(ages):
        return None
    low, high = 0.0, float(ages.max()) + 10 * MINUTE
    if evidence(high) < BAR:
        return None
    while high - low > 1000:
        middle = (low + high) / 2
        low, high = (low, middle) if evidence(middle) >= BAR else (middle, high)
    return high / MINUTE


def minutes_of_silence(ages: Ints) -> float | None:
    """Return when the absence of these arrivals, all of them lost, reaches the bar."""
    needed = int(np.ceil(BAR))
    return float(np.sort(ages)[needed - 1]) / MINUTE if len(ages) >= needed else None


def minutes_of_surge(usual: float, extra: float) -> float | None:
    """Return when a rise of arrivals a minute, from ``usual`` by ``extra``, reaches the bar."""
    if extra <= 0:
        return None
    usual = max(usual, 1e-3)
    return BAR / float((usual + extra) * np.log((usual + extra) / usual) - extra)
