"""What photographs among the training images change, class by class and by their share.

In: ``photo_harm_classes.csv``, see ``benchmarks/photo_harm.py``. Out: changes, and drawings on ``axes``.
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes

from evaluate import natural_key
from illus.report.figures import BLUE, GRAY, ORANGE, RED, literal


def change_by_class(classes: pd.DataFrame, value: str = "f1") -> pd.DataFrame:
    """How much F1 changes when photographs are added to the training images.

    ``classes`` has a row per run and class: ``condition`` (those called ``with`` and ``without`` are
    compared), ``epochs`` (only the longest runs count), ``seed``, ``class_name``, ``photos``, and scores;
    ``value`` names the score: ``f1`` on drawings, ``f1_with_photos`` where held-out photographs are among
    them. A row per class and seed, classes with photographs first, each kind in class order: ``class_name``,
    ``seed``, ``has_photos`` (bool: among its training images), ``with``, ``without``, ``change``.
    """
    rows = classes[classes.condition.isin(["with", "without"]) & (classes.epochs == classes.epochs.max())]
    f1 = rows.pivot(index=["class_name", "seed"], columns="condition", values=value).reset_index()
    f1["change"] = f1["with"] - f1["without"]
    f1["has_photos"] = f1.class_name.isin(rows.class_name[rows.photos > 0])
    number = {name: place for place, name in enumerate(sorted(f1.class_name.unique(), key=natural_key))}
    f1["order"] = f1.class_name.map(number) - len(number) * f1.has_photos
    columns = ["class_name", "seed", "has_photos", "with", "without", "change"]
    return f1.sort_values(["order", "seed"], ignore_index=True)[columns].rename_axis(columns=None)


def f1_by_dose(classes: pd.DataFrame) -> pd.DataFrame:
    """F1 of each class into which photographs were put, by their share among its training images.

    ``classes`` is as for :func:`change_by_class`, with runs whose condition is ``only NAME``, in which that
    class alone has photographs; those without, of the same seeds, are the beginning. A row per class, share
    and seed: ``class_name``, ``share``, ``seed``, ``f1``.
    """
    dosed = classes[classes.condition.str.startswith("only ")]
    own = dosed[dosed.condition.str.removeprefix("only ") == dosed.class_name]
    none = (classes.condition == "without") & (classes.epochs == dosed.epochs.min())
    begin = classes[none & classes.seed.isin(dosed.seed) & classes.class_name.isin(own.class_name)]
    rows = pd.concat([begin, own], ignore_index=True)
    return rows.assign(share=rows.share.round(2))[["class_name", "share", "seed", "f1"]]


def dose_curve(
    axes: Axes, doses: pd.DataFrame, control: pd.DataFrame, labels: Mapping[str, str] | None = None
) -> None:
    """The change of F1 of classes by the share of photographs: a dot for each seed, lines through the means.

    ``doses`` are from :func:`f1_by_dose`; ``control`` has the columns ``class_name`` and ``f1``, of classes
    as large as with most photographs, but without: a cross for each seed, at a place of their own. ``labels``
    maps class names to what is shown for them.
    """
    names = sorted(doses.class_name.unique(), key=natural_key)
    shares = [round(100 * share) for share in sorted(doses.share.unique())]
    beside = shares[-1] + 25  # of the crosses: beyond the shares
    for name, colour, aside in zip(names, (BLUE, ORANGE, RED), (-2, 0, 2), strict=False):
        rows, repeated = (table[table.class_name == name] for table in (doses, control))
        mean = rows.groupby("share").f1.mean()
        axes.plot(100 * rows.share + aside, rows.f1 - mean[0], "o", color=colour, alpha=0.6, markersize=5)
        shown = literal((labels or {}).get(name, name))
        axes.plot(100 * mean.index + aside, mean - mean[0], color=colour, label=f"{shown}, {mean[0]:.2f}")
        axes.plot([beside + aside] * len(repeated), repeated.f1 - mean[0], "x", color=colour)
    axes.axvline((shares[-1] + beside) / 2, color=GRAY, linewidth=0.8, linestyle=":")
    axes.axhline(0, color=GRAY, linewidth=0.8)
    axes.set(xlabel="photographs in training, %, or own drawings repeated", ylabel="change of F1 on drawings")
    axes.set_xticks([*shares, beside], [*map(str, shares), "repeated"])
    axes.margins(y=0.3)
    axes.legend(title="F1 without photographs", title_fontsize=8, fontsize=8, loc="lower left")
