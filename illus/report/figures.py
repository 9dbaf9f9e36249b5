"""Charts, each a function that takes its axes.

In: tables. Out: drawings on matplotlib ``axes``. ``labels`` maps class names to what is shown for them.
"""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from sklearn.metrics import roc_auc_score, roc_curve

from evaluate import font_families, natural_key
from illus.photos.clusters import knee

WIDTH = 11.0  # inches, of a figure as wide as the text of a report on a screen of 1280 px
PALETTE = "colorblind"  # of seaborn, in all figures
BLUE, ORANGE, _, RED, _, _, _, GRAY = sns.color_palette(PALETTE).as_hex()[:8]


def use_style() -> None:
    """Set the style of all figures in the notebooks: one palette, one width, no text under 8 points.

    At 96 dots an inch a point of matplotlib is a point of the page. Fonts: :func:`evaluate.font_families`.
    """
    sns.set_theme(context="notebook", style="white", palette=PALETTE, font_scale=0.85)
    matplotlib.rcParams.update(
        {
            "figure.dpi": 96,
            "font.family": font_families(),
            "figure.figsize": (WIDTH, 3.4),
            "figure.constrained_layout.use": True,
            "savefig.bbox": "tight",
            "axes.titlesize": "medium",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "legend.frameon": False,
        }
    )


def literal(text: str) -> str:
    """Text that matplotlib shows as it is; between two dollar signs it would be taken for a formula."""
    return text.replace("$", r"\$")


def class_bars(
    axes: Axes, counts: pd.Series, labels: Mapping[str, str] | None = None, color: str = BLUE
) -> None:
    """Horizontal bars of images per class, in class order, with the numbers at their ends."""
    names = sorted(counts.index, key=natural_key)[::-1]
    bars = axes.barh([literal((labels or {}).get(n, n)) for n in names], counts[names], color=color)
    axes.bar_label(bars, fmt="{:,.0f}", padding=3, fontsize=8)
    axes.margins(x=0.12, y=0.01)
    axes.set_xlabel("images")


def precision_recall(
    axes: Axes, curves: Mapping[str, pd.DataFrame], marks: Sequence[tuple[float, float, str]] = ()
) -> None:
    """Precision against recall, a curve with these columns for each name, both 0 to 1.

    ``marks`` are recall, precision and label of single points.
    """
    for name, curve in curves.items():
        axes.plot(curve.recall, curve.precision, ".-", label=name, markersize=4)
    for recall, precision, text in marks:
        axes.plot(recall, precision, "k*", markersize=11)
        axes.annotate(text, (recall, precision), (-8, -14), textcoords="offset points", ha="right")
    axes.set(xlabel="recall of redundant files", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
    axes.legend(loc="lower left")


def knee_curve(axes: Axes, gaps: np.ndarray, eps: float) -> None:
    """The k-distance curve: distances ``gaps`` in ascending order, their knee, and DBSCAN's ``eps``."""
    axes.plot(gaps, color=BLUE)
    for value, name, line in ((knee(gaps), "the knee", ":"), (eps, "eps", "--")):
        axes.axhline(value, color=RED, linestyle=line)
        axes.text(0, value, f" {name} {value:.2f}", color=RED, va="bottom")
    axes.set(xlabel="points, by distance", ylabel="k-distance")


def score_histogram(
    axes: Axes, scores: np.ndarray, threshold: float, kinds: Mapping[str, np.ndarray], bins: int = 80
) -> None:
    """Histograms of scores with a logarithmic count, one for each of at most two kinds, and the threshold.

    ``scores`` are float, shape (n,), ``kinds`` bool, shape (n,), by name.
    """
    edges = np.linspace(scores.min(), scores.max(), bins + 1)
    for (name, rows), colour in zip(kinds.items(), (BLUE, ORANGE), strict=False):
        axes.hist(scores[rows], edges.tolist(), alpha=0.6, label=name, color=colour)
    axes.axvline(threshold, color=RED, linestyle="--", label="threshold")
    axes.set(yscale="log", ylim=(0.5, None), xlabel="score", ylabel="images (logarithmic)")
    axes.legend(fontsize=8)


def roc_curves(
    axes: Axes,
    truth: np.ndarray,
    scores: Mapping[str, np.ndarray],
    kinds: tuple[str, str] = ("drawings removed", "photographs found"),
) -> None:
    """Receiver operating characteristics, with a logarithmic false positive rate, and their areas.

    ``truth`` is bool, shape (n,), with both kinds, ``scores`` float, shape (n,), by name; ``kinds`` says for
    the axes' names what is wrongly and what is rightly called positive.
    """
    for name, score in scores.items():
        false, true, _ = roc_curve(truth, score)
        area = roc_auc_score(truth, score)
        axes.plot(false, true, label=f"{name} ({area:.4f})", drawstyle="steps-post")
    axes.set(xscale="log", xlim=(1 / (~truth).sum(), 1), ylim=(0, 1.01))
    axes.set(xlabel=f"share of {kinds[0]}", ylabel=f"share of {kinds[1]}")
    title = {"title": "area under the curve", "title_fontsize": 8}
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1), **title)


def learning_curves(left: Axes, right: Axes, curves: Mapping[str, Sequence[pd.DataFrame]]) -> None:
    """Loss (left) and macro F1 (right) by epoch: dashed for augmented training images, solid for validation.

    ``curves`` are a candidate's histories, one for each seed: ``epoch``, ``loss``, ``macro_f1``,
    ``val_loss``, ``val_macro_f1``.
    """
    for (name, histories), colour in zip(curves.items(), sns.color_palette(PALETTE), strict=False):
        for number, history in enumerate(histories):
            label = None if number else name
            for axes, value in ((left, "loss"), (right, "macro_f1")):
                axes.plot(history.epoch, history[value], "--", color=colour, linewidth=0.8)
                axes.plot(history.epoch, history[f"val_{value}"], color=colour, linewidth=1.3, label=label)
    solid = Line2D([], [], color=GRAY, linestyle="-", label="validation")
    dashed = Line2D([], [], color=GRAY, linestyle="--", label="changed training images")
    left.legend(handles=[solid, dashed], fontsize=8)
    left.set(xlabel="epoch", ylabel="loss")
    right.set(xlabel="epoch", ylabel="macro F1")
    right.legend(fontsize=8)


def architecture(axes: Axes, shapes: Sequence[tuple[str, int, int]]) -> None:
    """A network from left to right: boxes as high as a feature map, and wider the more channels it has.

    ``shapes`` are from :func:`illus.learn.networks.feature_map_shapes`.
    """
    x = 0.0
    for name, side, channels in shapes:
        width, height = 0.25 + 0.12 * np.log2(channels), 0.3 + side / shapes[0][1] * 3
        box = Rectangle((x, -height / 2), width, height, fc="lightsteelblue", ec="black", lw=0.8)
        axes.add_patch(box)
        size = f"{side} × {side} × {channels}" if side > 1 else f"{channels}"
        axes.text(x + width / 2, -height / 2 - 0.1, size, ha="center", va="top", fontsize=8)
        axes.text(x + width / 2, height / 2 + 0.1, name, ha="center", va="bottom", fontsize=8)
        x += width + 0.6
        axes.annotate("", (x, 0), (x - 0.6, 0), arrowprops={"arrowstyle": "->", "linewidth": 0.8})
    axes.set(xlim=(-0.2, x - 0.55), ylim=(-2.3, 2.3))
    axes.set_axis_off()


def class_f1_bars(
    axes: Axes,
    f1: pd.Series,
    low: pd.Series,
    high: pd.Series,
    counts: pd.Series,
    labels: Mapping[str, str] | None = None,
) -> None:
    """F1 of each class with its 95 % interval, and the number of images beside its name."""
    names = sorted(f1.index, key=natural_key)[::-1]
    errors = np.clip([f1[names] - low[names], high[names] - f1[names]], 0, None)
    axes.barh(names, f1[names], xerr=errors, color=BLUE, error_kw={"elinewidth": 1, "capsize": 2})
    axes.set_yticks(names, [f"{literal((labels or {}).get(n, n))} ({counts[n]:,})" for n in names])
    axes.set(xlabel="F1 and its 95 % interval", xlim=(0, 1))
    axes.margins(y=0.01)
