"""Tables that the stages have written -> data frames, in which names stay text.

In: catalog.csv, duplicates.csv, photos.csv, labels.csv, dataset.csv or a split of it. Out: the table as it
was before it was written.
"""

from pathlib import Path

import pandas as pd

TEXT = ("path", "class_name", "suggested", "group", "split", "sha256", "copy_of",
        "run_id", "run_ids", "code", "data_hash", "seeds", "val_class_f1", "blocks", "teachers")  # fmt: skip


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a table of a stage; a class may be called 1, 007 or NA.

    Parameters
    ----------
    path : str or Path
        CSV file, as :func:`illus.parallel.write_table` writes it.

    Returns
    -------
    pandas.DataFrame
        The columns of the file: those in ``TEXT`` of str, others as pandas reads them. An empty cell of text
        is an empty string.
    """
    text = dict.fromkeys(TEXT, str)
    return pd.read_csv(path, dtype=text, keep_default_na=False)
