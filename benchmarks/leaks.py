"""The leak check: planted copies that it finds, and its false alarms. Writes results/leaks.csv.

    python -m pip install -r benchmarks/requirements.txt
    python -m benchmarks.leaks

Needs emoji20 as published. ``results/leaks.csv``: a copy of the test folder with 60 copies of training files
planted in it, 30 of them byte by byte, 30 re-encoded (JPEG, another size, both, another format); and the test
folder of unseen styles as it is. But for the planted ones there are no copies of training drawings in
either. Rows are of the settings, and of the duplicate finder's ``near`` alone (``plain`` 0). A file that is
called a leak is ``right`` if it was planted and the training file that is named shows its drawing.

The settings were chosen on the training folder, by a sweep that is in ``results/archive/leaks_settings.csv``:
the most planted duplicates found with a precision of at least 0.95, on emoji20 before its photographs were
replaced. That plain images need another limit was seen on the test folder: its false alarms were discs,
squares and diamonds.
"""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.measure import load
from benchmarks.records import write_record
from illus import profiles, work_folders
from illus.copies.leaks import DEFAULTS, Images, compared_pairs, describe_folder, resolve_leaks
from illus.emoji20 import contaminate
from illus.emoji20.render import CONTAINERS
from illus.emoji20.truth import load_truth

TRAINING = work_folders.EMOJI20 / "training"
PLANTED = 30  # exact copies, and as many that are re-encoded
CHANGES = (("jpeg",), ("rescale",), ("rescale", "jpeg"), ("format",))
BASELINE = replace(DEFAULTS, near=DEFAULTS.duplicates.near, plain=1e-9)


def plant(test: Path, truth: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Write copies of training files into a test folder; ``path``, ``change``, ``drawing`` of each."""
    rng = np.random.default_rng([seed, 60])
    readable = truth[truth.kind != "broken"]
    rows = []
    for i, file in enumerate(
        readable.iloc[rng.choice(len(readable), 2 * PLANTED, replace=False)].itertuples()
    ):
        data, ending = (TRAINING / file.path).read_bytes(), Path(file.path).suffix[1:]
        changes = CHANGES[i % len(CHANGES)] if i >= PLANTED else ()
        for change in changes:
            container = contaminate.duplicate_container(change, _container(ending), rng)
            data, ending = contaminate.duplicate(data, change, container, rng)[0], CONTAINERS[container][0]
        path = f"{file.path.split('/')[0]}/planted-{i:02d}.{ending}"
        (test / path).write_bytes(data)
        rows.append((path, " ".join(changes) or "exact", file.drawing))
    return pd.DataFrame(rows, columns=["path", "change", "drawing"])


def _container(ending: str) -> str:
    """A container without transparency for an ending."""
    return (
        "png-rgb"
        if ending == "png"
        else next(name for name, value in CONTAINERS.items() if value[0] == ending)
    )


def rows_of(
    name: str, training: Images, folder: Path, truth: pd.DataFrame, planted: pd.DataFrame | None = None
) -> list[dict[str, object]]:
    """Rows of results/leaks.csv for one folder; prints what is missed and what is wrong."""
    images, rows = describe_folder(folder), []
    pairs = compared_pairs(training, images)
    drawing = truth.set_index("path").drawing
    for settings in (BASELINE, DEFAULTS):
        leaks = resolve_leaks(training, images, pairs, settings)
        row: dict[str, object] = {"folder": name, "near": settings.near, "plain": round(settings.plain)}
        row |= {"files": len(images.files), "flagged": len(leaks)}
        if planted is not None:
            shown = leaks.merge(planted, on="path", how="left")
            right = shown[shown.drawing.eq(shown.copy_of.map(drawing))]
            exact = right.change.eq("exact").sum()
            row |= {"planted": len(planted), "right": len(right), "right_exact": exact}
            row |= {"recall": len(right) / len(planted), "precision": len(right) / max(1, len(leaks))}
            print(planted[~planted.path.isin(right.path)].to_string(), flush=True)
            leaks = leaks[~leaks.path.isin(right.path)]
        print(f"{name}, {row}: not planted\n{leaks.to_string()}", flush=True)
        rows.append(row)
    return rows


def main() -> None:
    truth = load_truth(TRAINING)
    assert truth is not None, "python -m illus emoji20 builds the data set"
    print(load(), flush=True)
    training = describe_folder(TRAINING)
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary, "test")
        shutil.copytree(work_folders.EMOJI20 / "test", copy)
        planted = plant(copy, truth, profiles.SEED)
        rows += rows_of("test, 60 copies planted", training, copy, truth, planted)
    rows += rows_of("test_unseen_style", training, work_folders.EMOJI20 / "test_unseen_style", truth)
    table = pd.DataFrame(rows).convert_dtypes().round({"recall": 4, "precision": 4})
    print(table.to_string(index=False))
    write_record(table, "leaks")


if __name__ == "__main__":
    main()
