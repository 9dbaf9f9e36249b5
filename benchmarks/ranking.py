"""Whether validation ranks networks as the test folders do. Writes results/ranking.csv.

    python -m benchmarks.ranking

Recorded trainings on the data of the shipped weights whose own weights are still in ``work/emoji20/runs``,
and the shipped weights themselves, each scored on both test folders. Nothing is chosen by these scores: the
shipped weights had been chosen on validation before.
"""

from pathlib import Path

import pandas as pd

from benchmarks.tables import PARTS, card, read
from evaluate import evaluate
from illus import work_folders
from illus.hashing import code_of
from illus.parallel import write_table

SOURCES = ("evaluate.py", "benchmarks/ranking.py")
COLUMNS = ["run_id", "role", "val_macro_f1", *(f"{part}_macro_f1" for part in PARTS), "code"]


def candidates() -> list[tuple[dict[str, object], Path]]:
    """What is known of each network on validation, and its weights file."""
    training, runs = card()["training"], work_folders.work_dir(work_folders.EMOJI20 / "training") / "runs"
    recorded = read("experiments").query("data_hash == @training['data_hash']")
    found = [
        (
            {"run_id": row.run_id, "role": row.question, "val_macro_f1": row.val_macro_f1},
            runs / row.run_id / "model.h5",
        )
        for row in recorded.itertuples()
    ]
    shipped = {"run_id": "", "role": "shipped", "val_macro_f1": training["val_macro_f1"]}
    return [(row, path) for row, path in found if path.exists()] + [(shipped, work_folders.SHIPPED_WEIGHTS)]


def main() -> None:
    rows = []
    for row, weights in candidates():
        for part in PARTS:
            row[f"{part}_macro_f1"] = round(evaluate(work_folders.EMOJI20 / part, weights)[0]["macro_f1"], 4)
        print(row, flush=True)
        rows.append(row)
    write_table(
        pd.DataFrame(rows).assign(code=code_of(SOURCES))[COLUMNS], work_folders.RESULTS / "ranking.csv"
    )


if __name__ == "__main__":
    main()
