"""Tables that this project has written -> data frames, in which names stay text.

In: catalog.csv, duplicates.csv, photos.csv, labels.csv, dataset.csv, tables of runs. Out: the table as it was
before it was written.
"""

from collections import defaultdict
from pathlib import Path

import pandas as pd

TYPES: dict[str, type] = {  # of columns, in every table of the stages and of runs; all others are text
    **dict.fromkeys(("bytes", "width", "height", "cluster", "class_id", "copies", "budget", "tuned"), int),
    **dict.fromkeys(("distance", "score", "seconds", "learning_rate", "epoch", "epochs", "seed"), float),
    **dict.fromkeys(("loss", "macro_f1", "micro_f1"), float),
    **dict.fromkeys(("val_loss", "val_macro_f1", "val_micro_f1"), float),
    **dict.fromkeys(("input_size", "parameters", "multiply_adds", "mixing_share", "weight_decay"), float),
    **dict.fromkeys(("keep", "conflict", "is_photo"), bool),
}


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a table of :func:`illus.parallel.write_table`; a class may be called 007, a run 12345e678901.

    Columns that are not in ``TYPES`` are text; an empty cell of text is an empty string.
    """
    columns = defaultdict(lambda: str, TYPES)
    missing = {name: [""] for name, kind in TYPES.items() if kind is float}
    return pd.read_csv(path, dtype=columns, keep_default_na=False, na_values=missing)
