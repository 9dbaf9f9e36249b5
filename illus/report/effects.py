"""What differences between runs mean against a control.

In: scores of runs. Out: changes with their intervals.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats


def against_control(samples: Mapping[str, Sequence[float]], control: str) -> pd.DataFrame:
    """Changes of the mean against a control, with intervals that hold for all of them together.

    The test of Dunnett (1955): the spread between seeds is pooled over all candidates, so that one whose few
    seeds agree by chance gets no narrow interval, and comparing several with one control is allowed for.

    ``samples`` has at least two candidates, and two seeds in all but one. The result is indexed by the other
    candidates: ``change``, and ``low`` and ``high`` of the 95 % interval.
    """
    others = [name for name in samples if name != control]
    test = stats.dunnett(*(samples[name] for name in others), control=samples[control], rng=0)
    interval = test.confidence_interval(0.95)
    change = [np.mean(samples[name]) - np.mean(samples[control]) for name in others]
    return pd.DataFrame({"change": change, "low": interval.low, "high": interval.high}, index=others)


def described(changes: pd.DataFrame) -> str:
    """Changes from :func:`against_control` on one line, each with its interval."""
    return "; ".join(
        f"{row.Index} {row.change:+.3f} [{row.low:+.3f}, {row.high:+.3f}]" for row in changes.itertuples()
    )
