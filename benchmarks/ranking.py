"""Whether validation ranks networks as the test folders do. Writes results/ranking.csv.

    PROFILE=full python -m benchmarks.ranking

Every network in ``work/emoji20/runs`` that was trained on today's data set for at least ten epochs, on both
test folders. Nothing is chosen by these scores.
"""

from functools import cache

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks.records import write_record
from benchmarks.tables import PARTS
from evaluate import list_files, load_classifier, read_fitted, score, sort_folders
from illus import pipeline, work_folders
from illus.learn import runs
from illus.learn.settings import data_hash

FOLDER = work_folders.EMOJI20 / "training"
LEAST_EPOCHS = 10


@cache
def test_images(part: str, size: int, fit: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Images and classes of a test folder, and the names of its classes."""
    folders, _ = sort_folders(work_folders.EMOJI20 / part)
    files = [(path, label) for label, folder in enumerate(folders.values()) for path in list_files(folder)]
    images = np.stack([read_fitted(path, size, fit) for path, _ in files])
    return images, np.array([label for _, label in files]), list(folders)


def main() -> None:
    work, rows = work_folders.work_dir(FOLDER), []
    known = runs.load(work)
    known = known[known.data_hash == data_hash(pipeline.experiment_data(FOLDER))]
    for run in known[known.epochs >= LEAST_EPOCHS].itertuples():
        weights = runs.record_path(work, run.run_id).with_name("model.h5")
        if not weights.exists():
            continue
        model, description = load_classifier(weights)
        row = {"run_id": run.run_id, "question": run.question, "val_macro_f1": run.val_macro_f1}
        for part in PARTS:
            images, labels, names = test_images(part, description.input_size, description.fit)
            assert names == description.class_names
            predicted = model.predict(images, verbose=0).argmax(1)
            row[f"{part}_macro_f1"] = round(score(labels, predicted, names)["macro_f1"], 4)
        rows.append(row)
    table = pd.DataFrame(rows)
    write_record(table, "ranking")
    for part in PARTS:
        found = stats.spearmanr(table.val_macro_f1, table[f"{part}_macro_f1"]).statistic
        print(f"{part}: rank correlation {found:.2f} over {len(table)} networks")


if __name__ == "__main__":
    main()
