"""What photographs among the training images do to a classifier. Writes three tables, see below.

    python -m benchmarks.photo_harm

One small network is trained on emoji20 without its copies, with the photographs that the builder planted in
five classes and without them, for equally many steps. Which images are photographs is taken from the truth,
so that their harm is measured and not the filter. Validation is a fifth of the drawings by groups of
look-alikes, the same in all runs, without photographs. Photographs are held out by source picture: with seed
k no crop of the pictures in fold k is trained on, so that photographs keep their share among the training
images, and five seeds hold out each picture once. For the dose curves, photographs of all five classes are
put into one class until they are a given share of its training images; the others have none. The three
classes are known badly, fairly and well by this network. The control repeats the class's own drawings until
it is as large as with most photographs, and has none: is it the class's size that changes F1?

- ``photo_harm.csv``: a row per run, macro and micro F1 on validation. ``share``: of photographs among the
  training images of a class that has some.
- ``photo_harm_classes.csv``: F1 of each class on validation, and with the held-out photographs among the
  images, labelled with their class, as in a random split of a folder that nobody has cleaned.
- ``photo_harm_answers.csv``: how often each class is answered, for photographs held out, for drawings of the
  classes that have photographs, for drawings of the others; ``right``: how often that is the label.

Expected, before anything was measured on this contamination (from the probe with crops of 151 other
pictures: macro F1 -0.025 to -0.034, the five classes -0.040, the others -0.026 after 8 epochs):

1. On drawings the five classes lose more than the fifteen, -0.03 and -0.01, macro F1 -0.015, micro F1 -0.01.
   Trained until flat, less than in the probe: part of its harm was that drawings were shown less often.
2. Drawings of the fifteen are taken for the five more often with photographs (those that fill their frame),
   drawings of the five for the fifteen about as often as without.
3. A photograph never met is answered with one of the five in more than nine of ten cases, with its own class
   hardly more often than one in five; without photographs in training the answers spread over all classes.
4. With held-out photographs in validation, F1 of the five falls to 0.3 or less: most of what the challenge's
   data show (0.23-0.39) is photographs that nobody can classify, not harm to the drawings.
5. The dose: -0.03 at 50 %, -0.06 at 75 % for F1 of L2_16. Of the other two, tried later: mammals lose as
   much, since their drawings are also rare beside as many photographs; faces, which the network knows, less
   than 0.03 at 75 %, as flags did not fall where half of them are photographs.
6. The control: drawn four times as often, birds and mammals gain 0.03, as small classes do by upsampling, and
   faces change by less than 0.02. So size alone does not explain the fall.

Runs go through ``work/emoji20/runs`` and resume. The learning rate falls to zero, so each run ends flat. Both
conditions are trained for two budgets, which shows what more steps gain and whether they change the answer;
the dose curve is of the smaller one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.records import write_record
from evaluate import load_classifier, score
from illus import work_folders
from illus.copies.duplicates import find_duplicates
from illus.dataset.split import split, split_by_cluster
from illus.emoji20.truth import load_truth
from illus.files.catalog import scan
from illus.learn import runs
from illus.learn.batches import load_arrays
from illus.learn.settings import Config

FOLDER = work_folders.EMOJI20 / "training"
BUDGETS = (8, 16)  # epochs, for which both conditions are trained
SMALL = Config(
    width=16, blocks=(1, 1, 1), stem_stride=2, dropout=0.0, input_size=32, augmentation="flip",
    label_smoothing=0.0, epochs=BUDGETS[0], steps_per_epoch=250, batch_size=64, learning_rate=4e-3,
)  # fmt: skip
VALIDATION = 0.2  # of the drawings
FOLDS = 5  # of the source pictures, so that as many photographs are held out as drawings
SEEDS = range(FOLDS)
DOSES = (0.25, 0.5, 0.75)  # of the training images of one class
DOSED = ("L2_16", "L2_15", "L2_2")  # birds, mammals, faces: F1 about 0.2, 0.4 and 0.8 without photographs
DOSE_SEEDS = range(3)
DRAWING = -1  # in place of a fold
OWN = "drawing of a class with photographs"
OTHER = "drawing of another class"
HELD_OUT = "photograph held out"


@dataclass(frozen=True)
class Run:
    """A training set, what it is called, and how it is trained."""

    condition: str  # without, with, only NAME: in that class, repeated NAME: its drawings instead
    data: pd.DataFrame
    config: Config


def load_data(work: Path) -> pd.DataFrame:
    """Drawings in two parts without a look-alike in both, and photographs, without copies; with ``fold``."""
    cache = work / "cache"
    catalog = scan(FOLDER, cache=cache)
    everything = split(catalog, find_duplicates(catalog, FOLDER, cache=cache))
    truth = load_truth(FOLDER).set_index("path")
    photo = everything.path.map(truth.kind) == "photo"
    drawings = split_by_cluster(everything[~photo], FOLDER, {"validation": VALIDATION}, cache=cache)
    photos = everything[photo]
    folds = fold_of(photos.path.map(truth.source))
    return pd.concat([drawings.assign(fold=DRAWING), photos.assign(fold=folds)], ignore_index=True)


def fold_of(sources: pd.Series) -> pd.Series:
    """The fold of each photograph, drawn for its source picture: all crops of a picture are in one."""
    names = sorted(set(sources))
    drawn = np.random.default_rng(0).permutation(len(names)) % FOLDS
    return sources.map(dict(zip(names, drawn, strict=True)))


def without_photos(data: pd.DataFrame) -> pd.DataFrame:
    """The data with its photographs in no part; rows stay, so that images are decoded once for all runs."""
    return data.assign(split=data.split.where(data.fold == DRAWING, "unused"))


def with_photos(data: pd.DataFrame, held_out: int) -> pd.DataFrame:
    """The data with its photographs in the training part, except for those of a fold."""
    photo = data.fold != DRAWING
    return data.assign(split=data.split.where(~photo, "train").where(data.fold != held_out, "unused"))


def with_dose(data: pd.DataFrame, held_out: int, class_name: str, share: float, seed: int) -> pd.DataFrame:
    """The data with photographs in one class, of which they are a share, except for those of a fold."""
    own = data.class_name == class_name
    drawings = data[own & (data.fold == DRAWING) & (data.split == "train")]
    photo = data.fold != DRAWING
    free = np.flatnonzero(photo & (data.fold != held_out))
    wanted = round(share / (1 - share) * len(drawings))
    # of one seed, a smaller share is a part of a larger one; where there are too few photographs they repeat
    drawn = np.resize(np.random.default_rng(seed).permutation(free), wanted)
    times = np.bincount(drawn, minlength=len(data))
    return data.assign(
        class_name=data.class_name.mask(photo, class_name),
        class_id=data.class_id.mask(photo, drawings.class_id.iloc[0]),
        copies=data.copies.mask(photo, times),
        split=data.split.where(~photo, np.where(times > 0, "train", "unused")),
    )


def with_repeats(data: pd.DataFrame, class_name: str, share: float) -> pd.DataFrame:
    """No photographs, and one class as large as with that share of them, by repeating its drawings."""
    own = (data.class_name == class_name) & (data.fold == DRAWING) & (data.split == "train")
    return without_photos(data.assign(copies=data.copies.where(~own, data.copies * round(1 / (1 - share)))))


def share_of_photos(data: pd.DataFrame) -> pd.Series:
    """The share of photographs among the training images of each class; indexed by class name."""
    shown = data.copies * (data.split == "train")
    photos = shown * (data.fold != DRAWING)
    return photos.groupby(data.class_name).sum() / shown.groupby(data.class_name).sum()


def planned(data: pd.DataFrame) -> Iterator[Run]:
    """All runs."""
    for epochs, seed in product(BUDGETS, SEEDS):
        config = replace(SMALL, epochs=epochs, seed=seed)
        yield Run("without", without_photos(data), config)
        yield Run("with", with_photos(data, seed), config)
    for name, seed, dose in product(DOSED, DOSE_SEEDS, DOSES):
        yield Run(f"only {name}", with_dose(data, seed, name, dose, seed), replace(SMALL, seed=seed))
    for name, seed in product(DOSED, DOSE_SEEDS):
        yield Run(f"repeated {name}", with_repeats(data, name, max(DOSES)), replace(SMALL, seed=seed))


def class_rows(shown: pd.DataFrame, names: pd.Series) -> pd.DataFrame:
    """F1 of each class on the drawings shown, and on all that is shown."""
    f1 = {}
    for column, rows in (("f1", shown[shown.fold == DRAWING]), ("f1_with_photos", shown)):
        result = score(rows.class_id.to_numpy(), rows.answer.to_numpy(), names.tolist())
        f1[column] = {name: round(values["f1"], 4) for name, values in result["per_class"].items()}
    return pd.DataFrame(f1).reindex(names).rename_axis("class_name").reset_index()


def answer_rows(shown: pd.DataFrame, names: pd.Series) -> pd.DataFrame:
    """How often each class is answered for each kind of image, and how often that is its label."""
    photo = shown.fold != DRAWING
    kind = np.where(shown.class_id.isin(shown.class_id[photo]), OWN, OTHER)
    kind = np.where(photo, HELD_OUT, kind)
    right = shown.answer == shown.class_id
    counted = right.groupby([kind, shown.answer.map(names)]).agg(images="size", right="sum")
    return counted.rename_axis(["shown", "answer"]).reset_index()


def measure(run: Run, data: pd.DataFrame, work: Path) -> dict[str, pd.DataFrame]:
    """Train unless that is done; the run's rows of the three tables, by their names."""
    config = run.config
    record = runs.run(run.data, FOLDER, config, "what do photos do?", work, with_weights=True)
    rows = (data.fold == config.seed) | (run.data.split == "validation")
    images = load_arrays(data, FOLDER, config.input_size, config.fit, work / "cache")[rows.to_numpy()]
    answer = load_classifier(record.weights)[0].predict(images, 256, verbose=0).argmax(1)
    shown, names = data[rows].assign(answer=answer), data.groupby("class_id").class_name.first()
    share = share_of_photos(run.data)
    own = {"condition": run.condition, "share": round(share[share > 0].mean() if share.any() else 0, 4),
           "epochs": config.epochs, "seed": config.seed}  # fmt: skip
    training = run.data[run.data.split == "train"]
    row = {"train_images": training.copies.sum(), "photos": training.copies[training.fold != DRAWING].sum(),
           "macro_f1": record.val_macro_f1, "micro_f1": record.val_micro_f1,
           "seconds": record.seconds, "run_id": record.run_id}  # fmt: skip
    classes = class_rows(shown, names)
    tables = {
        "photo_harm": pd.DataFrame([own | row]),
        "photo_harm_classes": classes.assign(photos=classes.class_name.map(share).round(4), **own),
        "photo_harm_answers": answer_rows(shown, names).assign(**own),
    }
    return tables


def main() -> None:
    work = work_folders.work_dir(FOLDER)
    data = load_data(work)
    measured = []
    for run in planned(data):
        measured.append(measure(run, data, work))
        for name in measured[0]:
            write_record(pd.concat([tables[name] for tables in measured]), name)


if __name__ == "__main__":
    main()
