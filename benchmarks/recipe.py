"""The recipe of the weights, trained anew on this machine. Writes results/recipe.csv.

    PROFILE=full python -m benchmarks.recipe

As ``make weights`` does, but in a folder of its own, so that the shipped weights and their records stay as
they are. On two CPU cores it takes hours: a run that was stopped resumes, and one of today's code that the
table has is not trained again. ``shipped`` is the macro F1 on validation of the same run in the shipped
weights.
"""

import pandas as pd

from benchmarks.tables import card, read
from illus import pipeline, work_folders
from illus.files.tables import read_table
from illus.learn import plan
from illus.learn.runs import write_view
from illus.learn.settings import code_hash, data_hash, run_id, summary
from illus.learn.training import train


def main() -> None:
    folder = work_folders.EMOJI20 / "training"
    dataset = pipeline.experiment_data(folder)
    data, shipped = data_hash(dataset), card()["training"]["data_hash"]
    if data != shipped:
        raise SystemExit(f"the data set is {data}, that of the weights {shipped}: run `make full` first")
    recorded = read("experiments").set_index("run_id").val_macro_f1
    table = work_folders.RESULTS / "recipe.csv"
    measured = read_table(table).query(f"code == '{code_hash()}'").run_id if table.exists() else pd.Series()
    for member in plan.RECIPE:
        if run_id(member, data) in measured.tolist():
            continue
        record = train(dataset, folder, member, "recipe", work_folders.work_dir(folder) / "recipe")
        row = summary(record) | {"shipped": float(recorded[run_id(member, data)])}
        write_view(pd.DataFrame([row]), table)


if __name__ == "__main__":
    main()
