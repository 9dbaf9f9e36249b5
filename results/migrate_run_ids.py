"""Renames recorded runs, settings and one value; was run once, and is kept as the origin of run_ids.csv.

    python results/migrate_run_ids.py

Until then an id was a hash of all settings, so that every new setting renamed every run. Now it is one of
the settings that differ from their defaults (:func:`illus.learn.settings.run_id`). Changes experiments.csv,
curves.csv, weights/best.h5 and weights/best.json together; run_ids.csv keeps old and new ids.
"""

import json
import sys
from pathlib import Path

import h5py
import pandas as pd

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from illus.learn.settings import config_of, run_id  # noqa: E402
from illus.parallel import write_table  # noqa: E402

RENAMED = {
    "network": "block",
    "stem": "stem_stride",
    "sampling": "sampling_power",
    "prior": "logit_adjustment",
}
RENAMED_VALUES = {"normalisation": {"picture": "image"}}


def migrate_table(path: Path) -> dict[str, str]:
    """Rename columns and ids of experiments.csv, and add the empty column ``code``; old to new ids."""
    table = (
        pd.read_csv(path, dtype=str, keep_default_na=False).rename(columns=RENAMED).replace(RENAMED_VALUES)
    )
    rows = table.to_dict("records")
    new_ids = {row["run_id"]: run_id(config_of(row), row["data_hash"]) for row in rows}
    if len(set(new_ids.values())) < len(rows):
        raise SystemExit("two runs would get one id")
    table["run_id"] = table.run_id.map(new_ids)
    table.insert(1, "code", "")
    write_table(table, path)
    return new_ids


def rename_training(training: dict, new_ids: dict[str, str]) -> dict:
    """The training part of a card with new names of settings and runs."""
    renamed = {RENAMED.get(name, name): value for name, value in training.items()}
    return renamed | {"run_ids": [new_ids[name] for name in training["run_ids"]]}


def main() -> None:
    new_ids = migrate_table(ROOT / "results/experiments.csv")
    write_table(pd.DataFrame(new_ids.items(), columns=["old", "new"]), ROOT / "results/run_ids.csv")
    curves = pd.read_csv(ROOT / "results/curves.csv", dtype=str, keep_default_na=False)
    write_table(curves.assign(run_id=curves.run_id.map(new_ids)), ROOT / "results/curves.csv")
    card_path = ROOT / "weights/best.json"
    card = json.loads(card_path.read_text(encoding="utf-8"))
    card["training"] = rename_training(card["training"], new_ids)
    card_path.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    with h5py.File(ROOT / "weights/best.h5", "a") as file:
        description = json.loads(file.attrs["classifier"])
        description["training"] = rename_training(description["training"], new_ids)
        file.attrs["classifier"] = json.dumps(description, ensure_ascii=False)


if __name__ == "__main__":
    main()
