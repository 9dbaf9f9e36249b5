"""Tables of the stages -> review.html, on which a person checks what was found and decides.

In: catalog, duplicates, photos, and if they exist labels.csv and overrides.csv. Out: one HTML file with the
thumbnails inside; it is opened from disk, asks no network, and saves overrides.csv.
"""

import base64
import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from evaluate import ImageDecodeError, atomic_write, decode_image, natural_key, read_file
from illus import work_folders
from illus.files.overrides import COLUMNS, NAME
from illus.parallel import in_parallel

SIDE = 128  # px, of a thumbnail's longer side
QUALITY = 70  # of WebP: about 2 KB a thumbnail
ASSETS = Path(__file__).parent
SECTIONS = {
    "copies": "Groups of copies",
    "conflicts": "Label conflicts",
    "photos": "Suspected photographs",
    "labels": "Suspected labels",
    "unreadable": "Unreadable files",
}
Card = dict[str, Any]


def write_review(
    catalog: pd.DataFrame,
    duplicates: pd.DataFrame,
    photos: pd.DataFrame,
    folder: str | Path,
    out: str | Path,
    labels: pd.DataFrame | None = None,
    overrides: pd.DataFrame | None = None,
) -> Path:
    """Write the page on which a person reviews what the stages found, and return its path.

    ``catalog``, ``duplicates``, ``photos`` and ``labels`` are from :func:`illus.files.catalog.scan`,
    :func:`illus.copies.duplicates.find_duplicates`, :func:`illus.photos.finder.find_photos` and
    :func:`illus.learn.labels.find_label_errors`, their paths relative to ``folder``. ``out`` is the HTML
    file, whose folder is made; the page starts with the decisions ``overrides``, from
    :func:`illus.files.overrides.read_overrides`.
    """
    out, files = Path(out), catalog.fillna("").set_index("path", drop=False)
    duplicates = duplicates.fillna("")
    cards = [
        *copy_cards(files, duplicates[~_of_photos(duplicates, photos)]),
        *photo_cards(files, photos, duplicates),
        *label_cards(files, labels),
        *unreadable_cards(files),
    ]
    decisions = pd.DataFrame(columns=COLUMNS) if overrides is None else overrides[COLUMNS]
    pictures, thumbnails = describe_pictures(files, cards, decisions, folder)
    work = work_folders.work_dir(folder)
    data = {
        "name": work.name,
        "target": (work / NAME).as_posix(),
        "columns": COLUMNS,
        "sections": SECTIONS,
        "classes": sorted(catalog.class_name.unique(), key=natural_key),
        "pictures": pictures,
        "cards": cards,
        "decisions": decisions.to_numpy().tolist(),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(out) as partial:
        partial.write_text(fill_page(data, thumbnails), encoding="utf-8", newline="\n")
    return out


def _of_photos(duplicates: pd.DataFrame, photos: pd.DataFrame) -> pd.Series:
    """Which rows are copies of suspected photos; to keep one of them would call it no photo."""
    suspected = set(photos.path[photos.is_photo.astype(bool)])
    sets = duplicates.copy_of[duplicates.path.isin(suspected) & (duplicates.copy_of != "")]
    return duplicates.copy_of.isin(sets)


def copy_cards(files: pd.DataFrame, duplicates: pd.DataFrame) -> list[Card]:
    """Sets of duplicates, the nearest first; then those with a label conflict, clear majorities first."""
    rows = duplicates[duplicates.copy_of != ""]
    rows = rows.assign(best=rows.path == rows.copy_of, picture=_keys(files, rows.path))
    rows = rows.sort_values(["keep", "best", "distance", "path"], ascending=[False, False, True, True])
    cards = [_copy_card(members, files) for _, members in rows.groupby("copy_of", sort=True)]
    cards.sort(key=lambda card: (card["kind"] == "undecided", card["score"]))
    return cards


def _copy_card(rows: pd.DataFrame, files: pd.DataFrame) -> Card:
    """One set of duplicates; files with the same bytes are one picture."""
    conflict, score = bool(rows.conflict.any()), float(rows.distance.max())
    votes = files.class_name[rows.path].value_counts()
    numbers = ", ".join(f"{name}: {n}" for name, n in sorted(votes.items(), key=lambda vote: -vote[1]))
    members = [
        {"picture": key, "keep": bool(same.keep.any()), "reason": same.reason.iloc[0]}
        for key, same in rows.groupby("picture", sort=False)
    ]
    kind = "near" if score else "same pixels" if len(members) > 1 else "same bytes"
    return {
        "section": "conflicts" if conflict else "copies",
        "kind": ("majority" if rows.keep.any() else "undecided") if conflict else kind,
        "score": score,
        "title": numbers if conflict else f"{len(rows)} copies",
        "measure": f"largest distance {score:.2f}" if score else kind,
        "members": members,
        "reference": int(rows.picture.drop_duplicates().tolist().index(rows.picture[rows.best].iloc[0])),
        "choices": list(votes.index) if conflict else [],
    }


def photo_cards(files: pd.DataFrame, photos: pd.DataFrame, duplicates: pd.DataFrame) -> list[Card]:
    """Images that look like photographs, the most photographic first; a copy stands for all of its set."""
    sets = duplicates[duplicates.copy_of != ""].sort_values("keep", ascending=False, kind="stable")
    shown = sets.drop_duplicates("copy_of").set_index("copy_of").path
    stands = {path: shown[best] for path, best in zip(sets.path, sets.copy_of, strict=True)}
    rows = photos[photos.is_photo.astype(bool)].sort_values(["score", "path"], ascending=[False, True])
    rows = rows.assign(path=[stands.get(path, path) for path in rows.path]).drop_duplicates("path")
    rows = rows.assign(picture=_keys(files, rows.path)).drop_duplicates("picture")
    return [_single("photos", row.picture, "looks like a photograph", row.score) for row in rows.itertuples()]


def label_cards(files: pd.DataFrame, labels: pd.DataFrame | None) -> list[Card]:
    """Images whose label is doubted, the surest first."""
    if labels is None:
        return []
    rows = labels.sort_values("score", ascending=False, kind="stable")
    rows = rows.assign(picture=_keys(files, rows.path)).drop_duplicates("picture")
    return [
        _single("labels", row.picture, f"the network says {row.suggested}", row.score)
        | {"title": f"{row.class_name} → {row.suggested}?", "choices": [row.suggested, row.class_name]}
        for row in rows.itertuples()
    ]


def unreadable_cards(files: pd.DataFrame) -> list[Card]:
    """Files that no stage can read."""
    rows = files[files.error != ""]
    rows = rows.assign(picture=_keys(files, rows.path)).drop_duplicates("picture")
    return [_single("unreadable", row.picture, row.error) for row in rows.itertuples()]


def _single(section: str, picture: str, reason: str, score: float = 0.0) -> Card:
    """A card with one picture."""
    member = {"picture": picture, "keep": section == "labels", "reason": reason}
    measure = f"score {score:.2f}" if score else ""
    card = {"section": section, "kind": "", "score": float(score), "title": "", "measure": measure}
    return card | {"members": [member], "reference": 0, "choices": []}


def _keys(files: pd.DataFrame, paths: pd.Series) -> list[str]:
    """What a picture is known by: the SHA-256 of its file, or the path where the file could not be read."""
    return [sha256 or path for path, sha256 in zip(paths, files.sha256[paths], strict=True)]


def describe_pictures(
    files: pd.DataFrame, cards: list[Card], decisions: pd.DataFrame, folder: str | Path
) -> tuple[list[dict[str, Any]], list[str]]:
    """What the page shows of each picture, and its thumbnail; cards get the numbers of pictures."""
    rows = files.assign(key=_keys(files, files.path)).reset_index(drop=True)
    members = [member for card in cards for member in card["members"]]
    wanted = {member["picture"] for member in members} | {*decisions.sha256, *decisions.value}
    number: dict[str, int] = {}
    pictures: list[dict[str, Any]] = []
    for key, same in rows[rows.key.isin(wanted)].groupby("key", sort=False):
        number[key], first = len(pictures), same.iloc[0]
        size = f"{first.width} × {first.height} {first.format}, " if first.width else ""
        facts, classes = f"{size}{first.bytes / 1000:,.1f} KB", list(dict.fromkeys(same.class_name))
        shown = {"sha256": first.sha256, "paths": same.path.tolist(), "classes": classes, "facts": facts}
        pictures.append(shown)
    for member in members:
        member["picture"] = number[member["picture"]]
    paths = [Path(folder, picture["paths"][0]) for picture in pictures]
    return pictures, list(in_parallel(thumbnail, paths, "thumbnails"))


def thumbnail(path: str | Path) -> str:
    """A WebP image of at most ``SIDE`` pixels a side, in base64; empty if the file cannot be read."""
    try:
        image = Image.fromarray(decode_image(read_file(path)))
    except ImageDecodeError:
        return ""
    image.thumbnail((SIDE, SIDE))
    data = io.BytesIO()
    image.save(data, "WEBP", quality=QUALITY)
    return base64.b64encode(data.getvalue()).decode()


def fill_page(data: dict[str, object], thumbnails: list[str]) -> str:
    """The page: template, style and script of this folder, with data that cannot end their element."""
    style, script = ((ASSETS / f"review.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    text = json.dumps(data, allow_nan=False)
    stamped = json.dumps(data | {"page": hashlib.sha256(text.encode()).hexdigest()[:16]}, allow_nan=False)
    parts = {
        "style": style,
        "script": script,
        "style-hash": _hash(style),  # by the content security policy only this style and this script may run
        "script-hash": _hash(script),
        "data": stamped.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026"),
        "thumbnails": "\n".join(thumbnails),
    }
    template = (ASSETS / "review.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{([a-z-]+)\}\}", lambda match: parts[match[1]], template)


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
