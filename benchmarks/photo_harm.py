"""What photos among the training images do to a classifier. Writes results/photo_harm.csv.

    python -m benchmarks.photo_harm --photo-bench FOLDER

One small network, trained on emoji20's training part with other photos each time: none; those that the
builder planted (crops of some twenty images, unevenly spread over the classes); 250 photos of a thousand
different things (FOLDER/real_photos) in classes drawn at random; the same photos in five classes only, so
that being a photo tells something of the label. Validation is the same throughout and holds no photo.

Runs go through ``work/emoji20/runs`` and resume. The learning rate falls to zero, so that the curve of
validation macro F1 is flat at the end of each run (``results/curves.csv``); twice as many epochs gain more.
"""

import argparse
import hashlib
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from illus import work_folders
from illus.copies.duplicates import stored_duplicates
from illus.dataset.split import split
from illus.emoji20.truth import load_truth
from illus.files.catalog import scan
from illus.learn import runs
from illus.learn.settings import Config
from illus.parallel import write_table

FOLDER = work_folders.EMOJI20 / "training"
QUESTION = "what do photos do?"
SMALL = Config(
    width=16, blocks=(1, 1, 1), dropout=0.0, input_size=32, augmentation="mild",
    label_smoothing=0.0, epochs=20, learning_rate=4e-3,
)  # fmt: skip
PARTS = {"train": 0.8, "validation": 0.2}
SEEDS = (0, 1, 2)
PHOTO_CLASSES = 5  # that hold all photos where they are correlated with the label


def training_sets(photo_folder: Path | None) -> dict[str, pd.DataFrame]:
    """Name of a condition to its data set; without a folder of photos only those of emoji20 itself."""
    catalog = scan(FOLDER)
    work = work_folders.work_dir(FOLDER)
    work.mkdir(parents=True, exist_ok=True)
    duplicates = stored_duplicates(catalog, FOLDER, work)
    truth = load_truth(FOLDER)
    planted = set(truth.path[truth.kind == "photo"])
    everything = split(catalog, duplicates, fractions=PARTS)
    is_photo = everything.path.isin(planted)
    without = everything[~is_photo].reset_index(drop=True)
    conditions = {
        "no photos": without,
        "planted crops": everything[~is_photo | (everything.split == "train")].reset_index(drop=True),
    }
    if photo_folder:
        copied = work / "photos"  # so that paths, and with them the data hash, are the same on any machine
        shutil.copytree(photo_folder, copied, dirs_exist_ok=True)
        photos = sorted(path for path in copied.rglob("*") if path.is_file())
        conditions["real photos, any class"] = with_photos(without, photos, classes=None)
        conditions["real photos, five classes"] = with_photos(without, photos, PHOTO_CLASSES)
    return conditions


def with_photos(
    dataset: pd.DataFrame, photos: list[Path], classes: int | None, seed: int = 0
) -> pd.DataFrame:
    """The data set with photos in its training part, in classes drawn at random; in a few only, or in all."""
    rng = np.random.default_rng(seed)
    names = dataset.drop_duplicates("class_id").set_index("class_id").class_name.sort_index()
    drawn = rng.permutation(len(names))[:classes]
    ids = rng.choice(drawn, len(photos))
    rows = pd.DataFrame(
        {
            "path": [Path(os.path.relpath(path, FOLDER)).as_posix() for path in photos],
            "class_name": names.to_numpy()[ids],
            "class_id": names.index.to_numpy()[ids],
            "group": [f"photo-{number}" for number in range(len(photos))],
            "split": "train",
            "copies": 1,
            "sha256": [hashlib.sha256(path.read_bytes()).hexdigest() for path in photos],
        }
    )
    return pd.concat([dataset, rows], ignore_index=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photo-bench", type=Path, metavar="FOLDER", help="holds real_photos/")
    options = parser.parse_args()
    os.environ["PROFILE"] = "full"
    photos = options.photo_bench / "real_photos" if options.photo_bench else None
    rows = []
    conditions = training_sets(photos)
    for seed in SEEDS:
        for condition, dataset in conditions.items():
            settings = replace(SMALL, seed=seed)
            record = runs.run(dataset, FOLDER, settings, QUESTION, work_folders.work_dir(FOLDER))
            rows.append(
                {
                    "condition": condition,
                    "seed": seed,
                    "train_images": int((dataset.split == "train").sum()),
                    "macro_f1": record.val_macro_f1,
                    "micro_f1": record.val_micro_f1,
                    "seconds": record.seconds,
                    "run_id": record.run_id,
                    "code": record.code,
                }
            )
            write_table(pd.DataFrame(rows), work_folders.RESULTS / "photo_harm.csv")
            print(rows[-1], flush=True)


if __name__ == "__main__":
    main()
