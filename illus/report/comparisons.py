"""Charts that compare: classes before and after a stage, true and predicted, runs by seed, changes.

In: tables. Out: drawings on matplotlib ``axes``. ``labels`` maps class names to what is shown for them.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator

from evaluate import Row, draw_confusion_matrix, natural_key
from illus.report.figures import BLUE, GRAY, ORANGE, PALETTE, RED, literal

MARKERS = ("o", "s", "D", "^", "v", "P", "X")


def class_stages(axes: Axes, stages: pd.DataFrame, labels: Mapping[str, str] | None = None) -> None:
    """Images of each class after each stage, as points on a logarithmic scale, one line a class.

    ``stages`` is indexed by class name and has one column per stage: numbers of images.
    """
    names = sorted(stages.index, key=natural_key)[::-1]
    rows, shown = np.arange(len(names)), stages.loc[names]
    axes.hlines(rows, shown.min(axis=1), shown.max(axis=1), color=GRAY, linewidth=0.8)
    colours = [GRAY, *sns.color_palette(PALETTE)]
    for stage, marker, colour in zip(shown, MARKERS, colours, strict=False):
        axes.plot(shown[stage], rows, marker, color=colour, label=stage, markersize=6)
    axes.set_yticks(rows, [literal((labels or {}).get(name, name)) for name in names])
    axes.set(xscale="log", xlabel="images (logarithmic)")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.minorticks_off()
    axes.grid(axis="x", color=GRAY, alpha=0.3)
    axes.margins(y=0.02)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=len(shown.columns))


def shown_images(axes: Axes, before: pd.Series, shown: pd.Series) -> None:
    """How often a class is shown in a pass: its images once, repetitions on top, and its size ``before``.

    Both are indexed by class name, and drawn from the top in the order of ``before``.
    """
    rows, once = np.arange(len(before)), np.minimum(before, shown[before.index])
    axes.barh(rows, once, color=BLUE, label="shown once")
    axes.barh(rows, shown[before.index] - once, left=once, color=ORANGE, label="repetitions")
    axes.plot(before, rows, "|", color="black", markersize=8, label="images available")
    axes.set_yticks(rows, list(map(literal, before.index)))
    axes.set_ylim(len(rows) - 0.5, -0.5)


def seed_points(axes: Axes, table: pd.DataFrame, value: str) -> None:
    """One row per candidate (column ``name``): a point for each seed, and a bar at their mean."""
    values = table.groupby("name", sort=False)[value]
    rows = {key: row for row, key in enumerate(values.groups)}
    axes.plot(table[value], table.name.map(rows), "o", color=BLUE, alpha=0.6, label="a seed")
    axes.plot(values.mean(), np.arange(len(rows)), "|", color="black", markersize=14, label="mean")
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(axis="x", color=GRAY, alpha=0.3)


def change_intervals(axes: Axes, changes: pd.DataFrame) -> None:
    """Changes from :func:`illus.report.effects.against_control`, their intervals, and a line at no change."""
    rows = np.arange(len(changes))
    mean, label = changes.change, "mean, 95 % interval"
    error = [mean - changes.low, changes.high - mean]
    axes.errorbar(mean, rows, xerr=error, fmt="o", color=BLUE, capsize=3, label=label)
    axes.axvline(0, color=RED, linestyle="--", linewidth=1, label="no change")
    axes.set_yticks(rows, changes.index)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(axis="x", color=GRAY, alpha=0.3)


def pair_distances(axes: Axes, distances: np.ndarray, kinds: Mapping[str, np.ndarray], near: float) -> None:
    """Histograms of the distances of candidate pairs up to 60, and the limit up to which they are copies.

    ``kinds`` are the pairs of a histogram, bool, shape (n,), by name.
    """
    values = [distances[rows] for rows in kinds.values()]
    colours = [BLUE, ORANGE][: len(kinds)]
    axes.hist(values, list(range(61)), stacked=True, color=colours, label=list(kinds))
    axes.axvline(near, color=RED, linestyle="--", label=f"copies up to {near:g}")
    axes.set(xlabel="distance of a candidate pair", ylabel="pairs", xlim=(0, 60))
    axes.legend()


def confusion_matrix(
    axes: Axes, rows: list[Row], class_names: Sequence[str], labels: Mapping[str, str] | None = None
) -> None:
    """The confusion matrix of ``evaluate.py`` in the text size of a page, with ``labels`` at its classes."""
    draw_confusion_matrix(axes, rows, class_names)
    for axis in (axes.xaxis, axes.yaxis):
        names = [label.get_text() for label in axis.get_ticklabels()]
        axis.set_ticklabels([(labels or {}).get(name, name) for name in names])
    for text in axes.texts:
        text.set_fontsize(8)
