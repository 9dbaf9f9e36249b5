"""What differences between runs mean against a control.

In: scores of runs. Out: changes with their intervals, also as text.
"""

import textwrap
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


def table_of_changes(runs: pd.DataFrame, by: str, value: str, control: str) -> pd.DataFrame:
    """The means of a score by answer, with their changes from :func:`against_control`, all as text.

    ``runs`` has a row per run, the answers in column ``by``, the scores in column ``value``.
    """
    samples = runs.groupby(by, sort=False)[value].agg(list).to_dict()
    changes = against_control(samples, control)
    table = pd.DataFrame({"mean": [f"{np.mean(scores):.3f}" for scores in samples.values()]}, list(samples))
    table["change"] = changes.change.map("{:+.3f}".format)
    table["95 % interval"] = changes.low.map("[{:+.3f}, ".format) + changes.high.map("{:+.3f}]".format)
    return table.fillna("")


def side_by_side(runs: pd.DataFrame, by: str, titles: Mapping[str, str], control: str) -> pd.DataFrame:
    """:func:`table_of_changes` of several scores beside each other; ``titles`` by column of ``runs``."""
    tables = {title: table_of_changes(runs, by, value, control) for value, title in titles.items()}
    return pd.concat(tables, axis="columns")


def listed(values: Mapping[str, float] | pd.Series, form: str = "{:.3f}") -> str:
    """Named values on one line.

    >>> listed({"flip": 0.4878, "mild": 0.5})
    'flip 0.488, mild 0.500'
    """
    return ", ".join(f"{name} {form.format(value)}" for name, value in values.items())


def say(text: str) -> None:
    """Print a long line, wrapped between words to the width of a page."""
    print(textwrap.fill(text, 110, subsequent_indent="    ", break_on_hyphens=False))
