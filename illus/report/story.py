"""One picture of the whole: a careless folder, its copies, its photographs, balanced classes, scores.

    python -m illus.report.story docs/story.webp docs/story.ko.webp

In: the tables in ``work/<dataset>/`` and the card of the weights. Out: pictures, each labelled in the
language of its name (``.ko``: Korean, for which a font such as fonts-noto-cjk must be installed), which hold
the numbers that they show as JSON in their EXIF description.
"""

import json
import sys
from collections.abc import Mapping, Sequence, Set
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findSystemFonts, fontManager
from matplotlib.patches import FancyBboxPatch
from PIL import ExifTags, Image

from evaluate import decode_image, fit_image, natural_key, read_file
from illus import work_folders
from illus.copies.duplicates import find_duplicates
from illus.files.tables import read_table

SEED = 2  # of the draw of images: of six draws the one with most colours
SIDE = 6  # images along a side of the mosaic
SETS = 5  # of copies in the mosaic
PHOTOS = 5
CELL = 96  # pixels of an image
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")  # Okabe and Ito 2008
INK, GRAY, PALE, RED, BLUE = "#222222", "#6b6b6b", "#d9d9d9", "#c0392b", "#2f6db3"
KOREAN_FONTS = ("NotoSansCJK", "NotoSansKR", "Nanum")  # beginnings of file names
WORDS = {  # a title of each panel, and the notes below it
    "en": (
        ("Collected", "{files:,} files"),
        ("Copies", "{copies:,} files left out"),
        ("Photographs", "{photos:,} files left out"),
        ("Balanced", "collected", "as trained"),
        ("Scored", "F1 by class, macro {macro_f1:.2f}"),
    ),
    "ko": (
        ("수집", "파일 {files:,}개"),
        ("중복 제거", "파일 {copies:,}개 제외"),
        ("사진 제거", "파일 {photos:,}개 제외"),
        ("균형 맞추기", "수집", "학습"),
        ("채점", "클래스별 F1, macro {macro_f1:.2f}"),
    ),
}


def choose(
    catalog: pd.DataFrame, duplicates: pd.DataFrame, photos: pd.DataFrame
) -> tuple[list[str], list[list[str]]]:
    """Paths for the mosaic, classes in turn, and the sets of copies among them, the kept file first."""
    random = np.random.default_rng(SEED)
    photo = set(photos.path[photos.is_photo.astype(bool)])
    has_copies = duplicates.copy_of != ""
    copied = duplicates[has_copies & ~duplicates.conflict.astype(bool) & ~duplicates.copy_of.isin(photo)]
    sets = [[kept, *rows.path[rows.path != kept]] for kept, rows in copied.groupby("copy_of")]
    sets = [paths for paths in sets if 2 <= len(paths) <= 3]
    sets = [sets[number] for number in random.permutation(len(sets))[:SETS]]
    readable = catalog[catalog.error == ""]
    single = readable[~readable.path.isin(set(duplicates.path[has_copies]))]
    chosen = [path for paths in sets for path in paths]
    alone = single.path[single.path.isin(photo)]
    chosen += alone.sample(min(PHOTOS, len(alone)), random_state=SEED).tolist()
    drawings = single[~single.path.isin(photo)].sample(frac=1, random_state=SEED)
    turn = drawings.groupby("class_name").cumcount()
    in_turn = drawings.assign(turn=turn).sort_values("turn", kind="stable")
    chosen += in_turn.path.head(SIDE**2 - len(chosen)).tolist()
    return [chosen[number] for number in random.permutation(len(chosen))], sets


def mosaic(
    axes: Axes,
    paths: Sequence[str],
    folder: str | Path,
    gone: Set[str] = frozenset(),
    frames: Mapping[str, str] | None = None,
    crossed: Set[str] = frozenset(),
    faint: Set[str] = frozenset(),
) -> None:
    """Images in a square; those that are ``gone`` leave a gap, ``frames`` gives some a frame of a colour."""
    frames = frames or {}
    axes.set(xlim=(-0.05, SIDE + 0.05), ylim=(SIDE + 0.05, -0.05), xticks=[], yticks=[], aspect="equal")
    axes.spines[:].set_visible(False)
    for number, path in enumerate(paths):
        if path in gone:
            continue
        x, y = number % SIDE, number // SIDE
        image = fit_image(decode_image(read_file(Path(folder, path))), CELL, "pad")
        place, alpha = (x + 0.07, x + 0.93, y + 0.93, y + 0.07), 0.18 if path in faint else 1.0
        axes.imshow(image, extent=place, alpha=alpha, interpolation="lanczos")
        if path in frames:
            corner, style = (x + 0.06, y + 0.06), "round,pad=0,rounding_size=0.08"
            axes.add_patch(FancyBboxPatch(corner, 0.88, 0.88, style, fill=False, ec=frames[path], lw=3.2))
        if path in crossed:
            line = axes.plot([x + 0.1, x + 0.9], [y + 0.9, y + 0.1], color=frames[path], linewidth=3.2)
            line[0].set_solid_capstyle("round")


def bars(
    axes: Axes, values: Sequence[pd.Series], names: Sequence[str], colours: Sequence[str], limit: float
) -> None:
    """Horizontal bars for each class, later series on top of earlier ones, without axes."""
    for series, colour, height in zip(values, colours, (0.86, 0.42), strict=False):
        axes.barh(range(len(names)), series.reindex(names).fillna(0), height, color=colour)
    axes.set(ylim=(len(names) - 0.4, -0.6), xlim=(0, limit), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.spines["left"].set(visible=True, color=GRAY)


def examples(axes: Axes, rows: pd.DataFrame, names: Sequence[str], folder: str | Path) -> None:
    """One image of each class in a column, beside its bar, drawn from ``rows``."""
    first = rows.sample(frac=1, random_state=SEED).groupby("class_name").path.first()
    axes.set(ylim=(len(names) - 0.4, -0.6), xlim=(-0.5, 0.5), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    for row, name in enumerate(names):
        image = fit_image(decode_image(read_file(Path(folder, first[name]))), CELL, "pad")
        axes.imshow(image, extent=(-0.5, 0.5, row + 0.5, row - 0.5), aspect="auto", interpolation="lanczos")


def draw(
    folder: Path,
    catalog: pd.DataFrame,
    duplicates: pd.DataFrame,
    photos: pd.DataFrame,
    data: pd.DataFrame,
    card: Mapping,
    language: str,
) -> tuple[Figure, dict[str, float]]:
    """The picture, from the stages' tables and the card of the weights, and the numbers that it shows."""
    paths, sets = choose(catalog, duplicates, photos)
    redundant = {path for kept, *others in sets for path in others}
    photo = set(photos.path[photos.is_photo])
    frames = {path: colour for one, colour in zip(sets, COLOURS, strict=False) for path in one}
    copies = duplicates[duplicates.copy_of.ne("") & duplicates.path.ne(duplicates.copy_of)]
    numbers = {"files": len(catalog), "copies": len(copies), "photos": int(photos.is_photo.sum()),
               "macro_f1": card["scores"]["test"]["macro_f1"]}  # fmt: skip
    with rc_context({"font.family": fonts()}):
        figure = Figure(figsize=(16, 3.95))
        words = [(title, [note.format(**numbers) for note in notes]) for title, *notes in WORDS[language]]
        panels = [panel(figure, number, *text) for number, text in enumerate(words)]
        mosaic(panels[0], paths, folder)
        mosaic(panels[1], paths, folder, set(), frames, redundant, set(paths) - set(frames))
        mosaic(panels[2], paths, folder, redundant, dict.fromkeys(photo, RED), photo)
        charts(figure, panels[3], panels[4], catalog, data, card, folder)
    return figure, numbers


def fonts() -> list[str]:
    """Families of the installed fonts that have Korean, for matplotlib, or its own font if there is none."""
    files = [path for path in sorted(findSystemFonts()) if Path(path).name.startswith(KOREAN_FONTS)]
    for path in files:
        fontManager.addfont(path)
    return [*(FontProperties(fname=path).get_name() for path in files), "DejaVu Sans"]


def panel(figure: Figure, number: int, title: str, notes: Sequence[str]) -> Axes:
    """Axes in a row, with a title, notes below it (the second in the colour of its bars), and an arrow."""
    left = 0.008 + number * 0.2
    axes = figure.add_axes((left, 0.02, 0.172, 0.72), anchor="N")
    figure.text(left + 0.002, 0.935, title, fontsize=25, fontweight="bold", color=INK, va="center")
    first = figure.text(left + 0.002, 0.82, notes[0], fontsize=19, color=GRAY, va="center")
    for note in notes[1:]:
        text = axes.annotate(note, (1, 0.5), (14, 0), xycoords=first, textcoords="offset points")
        text.set(fontsize=19, color=BLUE, va="center", annotation_clip=False)
    if number:
        arrow = figure.text(left - 0.0155, 0.38, "❯", fontsize=24, color=GRAY)
        arrow.set(ha="center", va="center", family="DejaVu Sans")
    return axes


def charts(
    figure: Figure,
    left: Axes,
    right: Axes,
    catalog: pd.DataFrame,
    data: pd.DataFrame,
    card: Mapping,
    folder: Path,
) -> None:
    """Images of each class as collected (pale) and as shown in training (dark); F1 of each class."""
    names = sorted(card["scores"]["test"]["per_class"], key=natural_key)
    training = data[data.split == "train"]
    drawn = training.groupby("class_name").copies.sum()
    shown = drawn / drawn.sum() * len(training)
    collected = catalog.class_name[catalog.error == ""].value_counts()
    bars(left, [collected, shown], names, [PALE, BLUE], collected.max())
    f1 = pd.DataFrame(card["scores"]["test"]["per_class"]).T.f1
    bars(right, [pd.Series(1.0, names), f1], names, ["#efefef", BLUE], 1)
    for axes in (left, right):
        box = axes.get_position()
        beside = figure.add_axes((box.x0, box.y0, box.width * 0.075, box.height))
        examples(beside, data, names, folder)
        axes.set_position((box.x0 + box.width * 0.095, box.y0, box.width * 0.905, box.height))


def main(paths: Sequence[str]) -> int:
    """Draw the picture into each of the files; 0."""
    folder = work_folders.data_dir()
    work = work_folders.work_dir(folder)
    catalog = read_table(work / "catalog.csv")
    duplicates = find_duplicates(catalog, folder, cache=work / "cache")
    photos = read_table(work / "photos.csv")
    data = read_table(work / "split_by_cluster.csv")
    card = json.loads(Path("weights/best.json").read_text(encoding="utf-8"))
    for path in paths:
        language = "ko" if ".ko." in path else "en"
        figure, numbers = draw(folder, catalog, duplicates, photos, data, card, language)
        exif = Image.Exif()
        exif[ExifTags.Base.ImageDescription] = json.dumps(numbers)
        figure.savefig(path, dpi=100, pil_kwargs={"quality": 88, "exif": exif})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
