"""What emoji20's builder planted -> how well a stage found it. For measuring only.

In: ``truth.csv`` and the table of a stage. Out: recall and precision. No stage uses this module.
"""

from pathlib import Path

import pandas as pd

from illus.emoji20.sources import class_table

KINDS = {
    "original": "drawings",
    "duplicate": "copies",
    "photo": "photographs",
    "broken": "unreadable",
}
COLUMNS = ("path", "kind", "transform", "concept", "drawing")  # that measurements read


def load_truth(folder: str | Path) -> pd.DataFrame | None:
    """The truth about a folder of class folders, or None if it is not known.

    ``truth.csv`` is expected beside ``folder``; its columns are returned, with ``path`` relative to
    ``folder``. Another table of that name, without the columns that measurements read, is left alone.
    """
    folder = Path(folder).resolve()
    if not _is_known(folder):
        return None
    truth = pd.read_csv(folder.parent / "truth.csv", keep_default_na=False)
    inside = truth.path.str.startswith(f"{folder.name}/")
    return truth[inside].assign(path=truth.path.str.removeprefix(f"{folder.name}/")).reset_index(drop=True)


def _is_known(folder: Path) -> bool:
    """Whether the builder's table is beside a folder."""
    try:
        return set(COLUMNS) <= set(pd.read_csv(folder.parent / "truth.csv", nrows=0).columns)
    except (OSError, ValueError):  # there is none, or none that pandas can read
        return False


def class_names(folder: str | Path) -> pd.DataFrame:
    """What the class folders of emoji20 stand for; empty for other data, whose folder names say all there is.

    The data are emoji20 if ``truth.csv`` is beside ``folder``. Indexed by class name: ``english``,
    ``korean``, and ``label``, the class name with the first words of the English one, for figures.

    >>> class_names("a/folder/of/no/truth").columns.tolist()
    ['english', 'korean', 'label']
    """
    known = _is_known(Path(folder).resolve())
    rows = [
        (c["class_name"], c["name_en"], c["name_ko"], f"{c['class_name']} {first_words(c['name_en'])}")
        for c in class_table()
        if known
    ]
    return pd.DataFrame(rows, columns=["class_name", "english", "korean", "label"]).set_index("class_name")


def first_words(name: str) -> str:
    """The first thing of a list of things.

    >>> first_words("birds, fish, reptiles, insects"), first_words("drinks and household")
    ('birds', 'drinks')
    """
    return name.split(",")[0].split(" and ")[0]


def contamination_by_class(folder: str | Path) -> pd.DataFrame:
    """What the builder planted into each class, and how many drawings are variants of another one.

    ``folder`` is of emoji20, with ``truth.csv`` beside it. The columns, int, are indexed by class name:
    ``files``; ``drawings``; ``variants``, of the drawings those beyond the first of a concept in the same
    icon set: another tone, gender or direction; ``copies``; ``photographs``; ``unreadable``.
    """
    truth = load_truth(folder)
    assert truth is not None, folder
    truth["class_name"] = truth.path.str.split("/").str[0]
    kinds = pd.crosstab(truth.class_name, truth.kind).reindex(columns=list(KINDS), fill_value=0)
    originals = truth[truth.kind == "original"]
    again = originals.duplicated(["class_name", "icon_set", "concept"]).groupby(originals.class_name).sum()
    table = kinds.rename(columns=KINDS)
    table.insert(0, "files", kinds.sum(axis=1))
    table.insert(2, "variants", again.reindex(table.index, fill_value=0))
    return table.rename_axis(columns=None)


def score_duplicates(copies: pd.DataFrame, truth: pd.DataFrame) -> dict[str, int | float]:
    """Recall and precision of flagging redundant files: of k files that show one drawing, k - 1 are.

    ``copies`` has ``path`` and ``copy_of``: rows where they differ, and ``copy_of`` is not empty, are
    flagged, rightly if both show the same drawing. ``truth`` is from :func:`load_truth`. Keys: ``redundant``,
    ``flagged``, ``right`` (int), ``recall``, ``precision`` (float).
    """
    drawing = truth[truth.kind != "broken"].set_index("path").drawing
    flagged = copies[copies.copy_of.ne("") & copies.path.ne(copies.copy_of)]
    right = int((flagged.path.map(drawing) == flagged.copy_of.map(drawing)).sum())
    redundant = len(drawing) - drawing.nunique()
    return {
        "redundant": redundant,
        "flagged": len(flagged),
        "right": right,
        "recall": right / max(1, redundant),
        "precision": right / max(1, len(flagged)),
    }


def planted_pairs(copies: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Every duplicate that the truth knows, with another file of its drawing, and whether it is found.

    The arguments are as for :func:`score_duplicates`. Columns: ``path``; ``other``, another file that shows
    the same drawing; ``transform``, how it was made, ``natural`` for originals that show the same drawing;
    ``found`` (bool): it shares ``copy_of`` with another file of its drawing.
    """
    files = truth[truth.kind.isin(["original", "duplicate"])].copy()
    files["copy_of"] = files.path.map(copies.set_index("path").copy_of).fillna("")
    together = files[files.copy_of != ""].groupby(["drawing", "copy_of"]).path.transform("size") > 1
    files["found"] = together.reindex(files.index, fill_value=False)
    planted = files.kind == "duplicate"
    natural = ~planted & files[~planted].drawing.duplicated(keep=False).reindex(files.index, fill_value=False)
    files["transform"] = files["transform"].str.split().str[0].where(planted, "natural")
    first, last = (files.groupby("drawing").path.transform(end) for end in ("first", "last"))
    files["other"] = first.where(first != files.path, last)
    return files.loc[planted | natural, ["path", "other", "transform", "found"]]


def recall_by_transform(copies: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """How many duplicates of each kind are found: they share ``copy_of`` with another file of their drawing.

    The arguments are as for :func:`score_duplicates`. Indexed by the planted transforms, and ``natural`` for
    originals that show the same drawing: ``files``, ``found`` (int) and ``recall`` (float).
    """
    found = planted_pairs(copies, truth).groupby("transform").found
    return found.agg(files="size", found="sum").assign(recall=found.mean())
