"""Every figure, each a function that takes its axes.

In: tables and class folders. Out: drawings on matplotlib axes.
"""

from pathlib import Path

import cv2
import matplotlib
import numpy as np
import seaborn as sns

from evaluate import decode_image, fit_image, natural_key, read_file


def use_style():
    """The look of all figures in the notebooks."""
    sns.set_theme(context="notebook", style="white", font_scale=0.85)
    matplotlib.rcParams.update({"figure.dpi": 80, "savefig.bbox": "tight", "axes.titlesize": "medium",
                                "axes.spines.top": False, "axes.spines.right": False})


def class_gallery(axes, catalog, folder, labels=None, columns=18, size=64, seed=0):
    """One row of randomly drawn pictures per class.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    catalog : pandas.DataFrame
        ``path``, ``class_name``; readable files only.
    folder : str or Path
        What the paths are relative to.
    labels : dict of str to str, optional
        Text shown for a class instead of its name.
    columns : int, default 18
    size : int, default 64
        Side of a picture in pixels.
    seed : int, default 0
    """
    names = sorted(catalog.class_name.unique(), key=natural_key)
    rows = []
    for name in names:
        paths = catalog.path[catalog.class_name == name]
        rows.append(paths.sample(min(columns, len(paths)), random_state=seed).tolist())
    picture_rows(axes, rows, folder, [(labels or {}).get(n, n) for n in names], columns, size)


def picture_rows(axes, rows, folder, labels, columns=None, size=64):
    """Pictures side by side, one row of them per label.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    rows : list of list of str
        Paths of pictures.
    folder : str or Path
        What the paths are relative to.
    labels : list of str
        One per row, at its left.
    columns : int, optional
        Places in a row; more pictures are left out. By default those of the longest row.
    size : int, default 64
        Side of a picture in pixels.
    """
    columns = columns or max(map(len, rows), default=1)
    sheet = np.full((max(1, len(rows)) * size, columns * size, 3), 255, np.uint8)
    for row, paths in enumerate(rows):
        for column, path in enumerate(paths[:columns]):
            picture = fit_image(decode_image(read_file(Path(folder, path))), size - 4, "pad")
            top, left = row * size + 2, column * size + 2
            sheet[top : top + size - 4, left : left + size - 4] = picture
    show_sheet(axes, sheet, labels)


def show_sheet(axes, sheet, labels):
    """A sheet of pictures in equally high rows, with a label at the left of each row."""
    height = len(sheet) / max(1, len(labels))
    axes.imshow(sheet)
    axes.set_xticks([])
    axes.set_yticks((np.arange(len(labels)) + 0.5) * height, labels)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def pairs_sheet(axes, pairs, folder, captions, columns=6, size=72):
    """Pairs of pictures, each with a caption above.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    pairs : list of (str, str)
        Paths of pictures.
    folder : str or Path
    captions : list of str
        One per pair.
    columns : int, default 6
        Pairs in a row.
    size : int, default 72
        Side of a picture in pixels.
    """
    width, height, head = 2 * size + 16, size + 22, 18
    sheet = np.full((max(1, -(-len(pairs) // columns)) * height, columns * width, 3), 255, np.uint8)
    if not pairs:
        axes.text(columns * width / 2, height / 2, "none", ha="center")
    for number, (pair, caption) in enumerate(zip(pairs, captions, strict=True)):
        top, left = number // columns * height, number % columns * width
        for side, path in enumerate(pair):
            x = left + side * size
            picture = fit_image(decode_image(read_file(Path(folder, path))), size - 4, "pad")
            sheet[top + head : top + head + size - 4, x : x + size - 4] = picture
        axes.text(left, top + head - 5, caption, fontsize=7)
    show_sheet(axes, sheet, [])


def class_bars(axes, counts, labels=None, **style):
    """Horizontal bars of pictures per class, in class order, with the numbers at their ends."""
    names = sorted(counts.index, key=natural_key)[::-1]
    bars = axes.barh([(labels or {}).get(n, n) for n in names], counts[names], **style)
    axes.bar_label(bars, fmt="{:,.0f}", padding=3, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.12, y=0.01)
    axes.set_xlabel("pictures")


def mean_images(axes, copies, class_names, columns=10):
    """The mean picture of each class, names above.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    copies : numpy.ndarray
        uint8, shape (n, side, side, 3).
    class_names : pandas.Series
        Of each copy.
    columns : int, default 10
    """
    names, side, head = sorted(class_names.unique(), key=natural_key), copies.shape[1], 8
    sheet = np.full((-(-len(names) // columns) * (side + head), columns * (side + 2), 3), 255, np.uint8)
    for number, name in enumerate(names):
        top, left = number // columns * (side + head) + head, number % columns * (side + 2)
        sheet[top : top + side, left : left + side] = copies[(class_names == name).to_numpy()].mean(0)
        axes.text(left + side / 2, top - 1, name, fontsize=8, ha="center")
    show_sheet(axes, sheet, [])


def sizes_sheet(axes, paths, folder, sizes, size=96):
    """The same pictures as networks of several input sizes see them; one row per size."""
    pictures = [decode_image(read_file(Path(folder, path))) for path in paths]
    rows = [np.hstack([cv2.resize(fit_image(picture, side, "pad"), (size, size),
                                  interpolation=cv2.INTER_NEAREST) for picture in pictures])
            for side in sizes]
    show_sheet(axes, np.vstack(rows), [f"{side} px" for side in sizes])


def precision_recall(axes, curves, marks=()):
    """Precision against recall.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    curves : dict of str to pandas.DataFrame
        Name to ``recall`` and ``precision``, both 0 to 1.
    marks : sequence of (float, float, str)
        Recall, precision and text of single points.
    """
    for name, curve in curves.items():
        axes.plot(curve.recall, curve.precision, ".-", label=name, markersize=4)
    for recall, precision, text in marks:
        axes.plot(recall, precision, "k*", markersize=11)
        axes.annotate(text, (recall, precision), (-8, -14), textcoords="offset points", ha="right")
    axes.set(xlabel="recall of redundant files", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower left", frameon=False)


def numbered(axes, text):
    """Axes without ticks or frame, with a title."""
    axes.set(xticks=[], yticks=[], title=text)
    axes.spines[:].set_visible(False)


def cluster_scatter(axes, points, cluster, most=6):
    """Points coloured by cluster, noise gray, with a legend of the largest clusters."""
    colours = sns.color_palette("colorblind", most)
    axes.scatter(*points[cluster < 0].T, s=4, color="silver", label=f"noise ({(cluster < 0).sum():,})")
    for label in range(min(most, cluster.max() + 1)):
        rows = cluster == label
        axes.scatter(*points[rows].T, s=4, color=colours[label], label=f"cluster {label} ({rows.sum():,})")
    axes.legend(frameon=False, markerscale=3, fontsize=8)


def thumbnail_scatter(axes, points, thumbnails, cells=24):
    """Thumbnails where their points are, one for each occupied cell of a grid."""
    low, high = np.percentile(points, [0.5, 99.5], axis=0)
    places = ((points - low) / np.maximum(high - low, 1e-9) * cells).astype(int)
    inside = np.flatnonzero(((places >= 0) & (places < cells)).all(1))
    sheet = np.full((cells * 32, cells * 32, 3), 255, np.uint8)
    for row in inside:
        x, y = places[row][0] * 32, (cells - 1 - places[row][1]) * 32
        sheet[y : y + 30, x : x + 30] = cv2.resize(thumbnails[row], (30, 30), interpolation=cv2.INTER_AREA)
    show_sheet(axes, sheet, [])


def reconstruction_sheet(axes, thumbnails, reconstructions):
    """Pictures, what an autoencoder makes of them, and three times the difference, in three rows."""
    made = (reconstructions.clip(0, 1) * 255).astype(np.uint8)
    wrong = cv2.convertScaleAbs(np.hstack(np.abs(made.astype(np.float32) - thumbnails).mean(3)), alpha=3)
    sheet = np.vstack([np.hstack(thumbnails), np.hstack(made), cv2.cvtColor(wrong, cv2.COLOR_GRAY2RGB)])
    show_sheet(axes, sheet, ["picture", "reconstruction", "3 x difference"])


def knee_curve(axes, gaps, eps):
    """The k-distance curve with its knee."""
    axes.plot(gaps, color="steelblue")
    axes.axhline(eps, color="firebrick", linestyle="--")
    axes.text(0, eps, f" eps = {eps:.2f}, the knee", color="firebrick", va="bottom")
    axes.set(xlabel="points, by distance", ylabel="distance to the 20th neighbour")


def score_histogram(axes, scores, separation, kinds, bins=80):
    """Scores on a log scale, the two fitted kinds, and the threshold between them.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    scores : numpy.ndarray
    separation : illus.mixture.Separation or None
    kinds : dict of str to numpy.ndarray
        Name to bool, shape (n,): who is counted together.
    bins : int, default 80
    """
    edges = np.linspace(scores.min(), scores.max(), bins + 1)
    for (name, rows), colour in zip(kinds.items(), ("steelblue", "darkorange"), strict=False):
        axes.hist(scores[rows], edges, alpha=0.6, label=name, color=colour)
    if separation:
        scale = len(scores) * (edges[1] - edges[0])
        for density, name in zip(separation.log_densities(edges), ("usual", "rare"), strict=True):
            axes.plot(edges, scale * np.exp(density), label=f"fitted: {name}", linewidth=1)
        axes.axvline(separation.threshold, color="firebrick", linestyle="--", label="threshold")
    axes.set(yscale="log", ylim=(0.5, None), xlabel="evidence", ylabel="pictures")
    axes.legend(frameon=False, fontsize=8)


def gains(axes, table, noise):
    """What each variant of a round gains over its base, by factor, with the band that seeds alone span.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    table : pandas.DataFrame
        From :func:`illus.experiments.run_round`.
    noise : float
        Standard deviation of macro F1 between seeds; the band is twice as wide to each side.
    """
    variants = table[table.factor != ""].iloc[::-1]
    colours = dict(zip(table.factor.unique()[1:], sns.color_palette("colorblind"), strict=False))
    places = np.arange(len(variants))
    axes.axvspan(-2 * noise, 2 * noise, color="gainsboro", label="± 2 sd between seeds", zorder=0)
    for factor, colour in colours.items():
        rows = (variants.factor == factor).to_numpy()
        bars = axes.barh(places[rows], variants.gain[rows].fillna(0), color=colour, height=0.7, label=factor)
        axes.bar_label(bars, [f"{gain:+.3f}" for gain in variants.gain[rows]], padding=3, fontsize=8)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(places, variants.variant)
    axes.set(xlabel=f"change of macro F1 on validation (base {table.macro_f1[0]:.3f})")
    axes.margins(x=0.2)
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))


def learning_curves(left, right, curves):
    """Loss and macro F1 by epoch: dashed on augmented training pictures, solid on validation.

    Parameters
    ----------
    left, right : matplotlib.axes.Axes
    curves : dict of str to list of pandas.DataFrame
        Name of a candidate to the history of each seed: ``epoch``, ``loss``, ``macro_f1``, ``val_loss``,
        ``val_macro_f1``.
    """
    for (name, histories), colour in zip(curves.items(), sns.color_palette("colorblind"), strict=False):
        for number, history in enumerate(histories):
            for axes, value in ((left, "loss"), (right, "macro_f1")):
                axes.plot(history.epoch, history[value], "--", color=colour, linewidth=0.8)
                axes.plot(history.epoch, history[f"val_{value}"], color=colour, linewidth=1.3,
                          label=None if number else name)
    left.set(xlabel="epoch", ylabel="loss")
    right.set(xlabel="epoch", ylabel="macro F1")
    right.legend(frameon=False, fontsize=8)


def curves_by_time(axes, curves):
    """Macro F1 on validation by minutes of training, a line for each method.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    curves : pandas.DataFrame
        Columns ``method``, ``seconds``, ``macro_f1``; a row for each epoch.
    """
    for method, rows in curves.groupby("method", sort=False):
        axes.plot(rows.seconds / 60, rows.macro_f1, ".-", label=method)
    axes.set(xlabel="minutes of training", ylabel="macro F1 on validation", xlim=(0, None), ylim=(0, None))
    axes.legend(frameon=False, fontsize=8, loc="lower right")


def architecture(axes, shapes):
    """A network from left to right: a block as high as its map and as wide as it has channels.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    shapes : list of (str, int, int)
        Name, side of the map in pixels (1 for a vector), channels.
    """
    x = 0.0
    for name, side, channels in shapes:
        width, height = 0.25 + 0.12 * np.log2(channels), 0.3 + side / shapes[0][1] * 3
        axes.add_patch(matplotlib.patches.Rectangle(
            (x, -height / 2), width, height, facecolor="lightsteelblue", edgecolor="black", linewidth=0.8))
        size = f"{side} × {side} × {channels}" if side > 1 else f"{channels}"
        axes.text(x + width / 2, -height / 2 - 0.1, size, ha="center", va="top", fontsize=7)
        axes.text(x + width / 2, height / 2 + 0.1, name, ha="center", va="bottom", fontsize=7)
        x += width + 0.6
        axes.annotate("", (x, 0), (x - 0.6, 0), arrowprops={"arrowstyle": "->", "linewidth": 0.8})
    axes.set(xlim=(-0.2, x - 0.55), ylim=(-2.3, 2.3))
    axes.set_axis_off()


def class_f1_bars(axes, f1, low, high, counts):
    """F1 of each class with an interval, the number of pictures beside its name.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    f1, low, high, counts : pandas.Series
        Indexed by class name.
    """
    names = sorted(f1.index, key=natural_key)[::-1]
    errors = np.clip([f1[names] - low[names], high[names] - f1[names]], 0, None)
    axes.barh(names, f1[names], xerr=errors, color="steelblue", error_kw={"elinewidth": 1, "capsize": 2})
    axes.set_yticks(names, [f"{name} ({counts[name]:,})" for name in names])
    axes.set(xlabel="F1 and its 95 % interval", xlim=(0, 1))
    axes.margins(y=0.01)


def reliability(axes, curve, error, name):
    """How often predictions of some probability are right; the diagonal is an honest network's."""
    axes.plot([0, 1], [0, 1], color="gray", linewidth=0.8)
    axes.plot(curve.probability, curve.accuracy, "o-", label=f"{name} (mean difference {error:.3f})")
    axes.set(xlabel="probability of the predicted class", ylabel="share that is right", xlim=(0, 1.01),
             ylim=(0, 1.01))
    axes.legend(frameon=False, fontsize=8)


def activation_sheet(axes, pictures, maps, captions, size=96):
    """Pictures in a row, below them the same with what a network looked at, captions above.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    pictures : numpy.ndarray
        uint8, shape (n, side, side, 3).
    maps : numpy.ndarray
        float, shape (n, h, w), 0 to 1.
    captions : list of str, length n
    size : int, default 96
        Side of a picture in pixels.
    """
    shown = [cv2.resize(picture, (size, size), interpolation=cv2.INTER_NEAREST) for picture in pictures]
    heat = [cv2.applyColorMap((255 * cv2.resize(m, (size, size)).clip(0, 1)).astype(np.uint8),
                              cv2.COLORMAP_JET)[..., ::-1] for m in maps]
    below = [cv2.addWeighted(picture, 0.45, warm, 0.55, 0) for picture, warm in zip(shown, heat, strict=True)]
    show_sheet(axes, np.vstack([np.hstack(shown), np.hstack(below)]), ["picture", "evidence"])
    for number, caption in enumerate(captions):
        axes.text((number + 0.5) * size, -4, caption, ha="center", va="bottom", fontsize=7)
