"""When it began: what the trials say, together with when each suspect was at work.

Trials alone leave minutes or hours open where few people come; a probable cause closes them, as
harm seldom waits long. So the onset is taken over all hypotheses, each by its probability.
"""

from collections.abc import Iterable

import numpy as np

from detectors.attribution.likelihood import Picture
from detectors.attribution.suspects import Suspect
from detectors.attribution.timing import lag_density
from recoup.domain.base import from_ms
from recoup.domain.hypotheses import UNKNOWN_CAUSE, Hypothesis, Onset

QUANTILES = (0.05, 0.5, 0.95)


def date_onset(
    picture: Picture,
    suspects: Iterable[Suspect],
    hypotheses: Iterable[Hypothesis],
    opened_ms: int,
) -> Onset:
    """Return the median of the onset's distribution, and between what it lies with 90 %.

    It is never after the incident was noticed.
    """
    probability = {each.change_id: each.probability for each in hypotheses}
    belief = picture.belief / picture.belief.sum()
    found = belief * probability.get(UNKNOWN_CAUSE, 0.0)
    for suspect in suspects:
        share = sum(probability.get(change.id, 0.0) for change in suspect.changes)
        fits = picture.belief * lag_density(picture, suspect.times_ms)
        if fits.sum() > 0.0:
            found = found + share * fits / fits.sum()
    total = np.cumsum(found)
    if total[-1] <= 0.0:
        total = np.cumsum(belief)
    places = np.searchsorted(total / total[-1], QUANTILES)
    low, middle, high = picture.ticks[np.minimum(places, len(total) - 1)].tolist()
    return Onset(
        at=from_ms(min(middle, opened_ms)),
        earliest=from_ms(min(low, opened_ms)),
        latest=from_ms(min(high, opened_ms)),
    )
