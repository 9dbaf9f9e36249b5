"""A stage's table -> a CSV file, whole or not at all."""

import os


def write_table(table, path):
    """Write a data frame as CSV without its index; until it is whole, the old file stays.

    Parameters
    ----------
    table : pandas.DataFrame
    path : Path
        Its folder must exist.
    """
    partial = path.with_suffix(".partial")
    table.to_csv(partial, index=False, lineterminator="\n")
    os.replace(partial, path)
