"""A grid of block x augmentation x budget x seed, at tuned learning rates -> results/grid.csv.

    python -m illus.learn.grid [--part I/N] [--highest RATE]

In: split_by_cluster.csv of a folder of class folders, which notebook 04 leaves. Out: one row per run. The
learning rate is tuned for each block and augmentation at the short budget, by a seeded random search on
validation; the search's runs are rows too. A run that the table or the work folder has is not repeated;
parts may run side by side.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from evaluate import atomic_write
from illus import config as paths
from illus.files.tables import read_table
from illus.learn.plan import SCREENING
from illus.learn.settings import Config, Record, Scalar, data_hash, run_id
from illus.learn.training import train
from illus.parallel import write_table

TEXT = {"run_id": str, "code": str, "data_hash": str, "val_class_f1": str}
SORTED_BY = ["block", "augmentation", "budget", "seed", "learning_rate"]


@dataclass(frozen=True)
class Grid:
    """What is crossed with what, and what all its runs share."""

    base: Config
    blocks: tuple[str, ...] = ("plain", "residual", "squeeze-excite")
    augmentations: tuple[tuple[str, str], ...] = (  # name in the table, key of AUGMENTATIONS
        ("flip", "flip"),
        ("affine+colour", "mild"),
        ("strong", "strong"),
    )
    budgets: tuple[int, ...] = (10, 60)  # epochs; the learning rate is tuned at the first
    seeds: tuple[int, ...] = (0, 1)
    rates: int = 5  # learning rates that are tried in a cell
    rate_limits: tuple[float, float] = (1e-3, 2e-2)
    highest: float = 0.1  # while the highest rate is the best, its double is tried, up to here
    search_seed: int = 0


GRID = Grid(replace(SCREENING, stem_stride=2, steps_per_epoch=None, sampling_power=0.5))
QUICK = replace(  # for a look: two augmentations of one small network
    GRID,
    base=replace(GRID.base, width=4, blocks=(1, 1, 1)),
    blocks=("residual",),
    augmentations=(("flip", "flip"), ("strong", "strong")),
    budgets=(1, 2),
    rates=1,
    highest=0.0,
)


def learning_rates(grid: Grid) -> list[float]:
    """The rates that are tried, rising: one drawn from each of ``grid.rates`` parts of the log range."""
    low, high = np.log(grid.rate_limits)
    parts = np.arange(grid.rates) + np.random.default_rng(grid.search_seed).random(grid.rates)
    return [float(f"{rate:.3g}") for rate in np.exp(low + (high - low) * parts / grid.rates)]


def cells(grid: Grid) -> list[tuple[str, str, str]]:
    """Block, augmentation's name and its key, of each learning rate that is tuned."""
    return [(block, *named) for block, named in product(grid.blocks, grid.augmentations)]


def run_cell(
    cell: tuple[str, str, str], grid: Grid, dataset: pd.DataFrame, folder: str | Path, work: Path
) -> Iterator[dict[str, Scalar]]:
    """Tune the learning rate of a cell, then run every budget and seed with it.

    Parameters
    ----------
    cell : tuple of str
        One of :func:`cells`.
    grid : Grid
    dataset, folder, work
        As for :func:`illus.learn.training.train`.

    Yields
    ------
    dict
        Rows of the table, see :func:`row_of`; first those of the search.
    """
    block, name, augmentation = cell
    base = replace(
        grid.base, block=block, augmentation=augmentation, epochs=grid.budgets[0], seed=grid.seeds[0]
    )
    tried: dict[float, float] = {}
    rates = learning_rates(grid)
    while rates:
        rate = rates.pop(0)
        try:
            row = run_once(replace(base, learning_rate=rate), name, dataset, folder, work)
        except FloatingPointError as error:  # the rate is too high
            print(f"{block} {name} {rate}: {error}", flush=True)
            tried[rate] = -1.0
        else:
            tried[rate] = float(row["val_macro_f1"] or 0)
            yield row
        best = max(tried, key=lambda rate: tried[rate])
        if not rates and best == max(tried) and 2 * best <= grid.highest:
            rates = [2 * best]
    for budget, seed in product(grid.budgets, grid.seeds):
        config = replace(base, learning_rate=best, epochs=budget, seed=seed)
        yield run_once(config, name, dataset, folder, work)


def run_once(
    config: Config, augmentation: str, dataset: pd.DataFrame, folder: str | Path, work: Path
) -> dict[str, Scalar]:
    """The row of a run: of the one in ``work/runs`` that has finished, or of a new one."""
    path = work / "runs" / run_id(config, data_hash(dataset)) / "row.json"
    if not path.exists():
        row = row_of(train(dataset, folder, config, "grid", work), augmentation)
        with atomic_write(path) as partial:
            partial.write_text(json.dumps(row))
    return json.loads(path.read_text())


def row_of(record: Record, augmentation: str) -> dict[str, Scalar]:
    """A row of the table, but for ``tuned``, which depends on the other rows (:func:`is_tuned`)."""
    config = record.config
    return {
        "block": config.block,
        "augmentation": augmentation,
        "budget": config.epochs,
        "seed": config.seed,
        "learning_rate": config.learning_rate,
        "val_macro_f1": record.val_macro_f1,
        "val_micro_f1": record.val_micro_f1,
        "val_class_f1": record.val_class_f1,
        "seconds": record.seconds,
        "backend": record.backend,
        "device": record.device,
        "data_hash": record.data_hash,
        "run_id": record.run_id,
        "code": record.code,
    }


def remember(table: Path, work: Path) -> None:
    """Tell :func:`run_once` of the runs in a table, as of another machine."""
    rows = pd.read_csv(table, dtype=TEXT) if table.exists() else pd.DataFrame()
    for row in rows.astype(object).to_dict("records"):
        path = work / "runs" / row["run_id"] / "row.json"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(path) as partial:
                partial.write_text(json.dumps(row))


def is_tuned(rows: pd.DataFrame) -> pd.Series:
    """Whether a row has the best learning rate of its cell, or is of the search alone: 1 or 0.

    A cell is a block and an augmentation on one data set. The best rate is that of the search: at the
    shortest budget, with the first seed.
    """
    search = rows[(rows.budget == rows.budget.min()) & (rows.seed == rows.seed.min())]
    cell = ["data_hash", "block", "augmentation"]
    best = search.loc[search.groupby(cell).val_macro_f1.idxmax()].set_index(cell).learning_rate
    return (rows.learning_rate == rows.set_index(cell).index.map(best)).astype(int)


def add_row(row: dict[str, Scalar], table: Path) -> None:
    """Put a row into the table, in place of the one of the same run; rows are in a fixed order."""
    rows = pd.DataFrame([row])
    if table.exists():
        before = pd.read_csv(table, dtype=TEXT)
        rows = pd.concat([before[before.run_id != row["run_id"]], rows])
    rows = rows.sort_values(SORTED_BY, ignore_index=True)
    write_table(rows.assign(tuned=is_tuned(rows)), table)


def run(
    grid: Grid,
    dataset: pd.DataFrame,
    folder: str | Path,
    work: Path,
    table: Path,
    part: int = 0,
    parts: int = 1,
) -> None:
    """Run the cells of one part of the grid, and write each row when it is there.

    Parameters
    ----------
    grid, dataset, folder, work
        As for :func:`run_cell`.
    table : Path
        CSV file.
    part, parts : int, default 0 and 1
        Cell i belongs to part ``i % parts``. Parts that run side by side need tables of their own.
    """
    remember(table, work)
    for cell in cells(grid)[part::parts]:
        for row in run_cell(cell, grid, dataset, folder, work):
            add_row(row, table)
            print(" ".join(f"{row[name]}" for name in [*SORTED_BY, "val_macro_f1", "seconds"]), flush=True)


def merge(tables: Sequence[Path], merged: Path) -> None:
    """Add the rows of parts to a table, and remove the parts. Two processes must not merge at once."""
    for path in tables:
        for row in pd.read_csv(path, dtype=TEXT).to_dict("records"):
            add_row(row, merged)
        path.unlink()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 on success."""
    parser = argparse.ArgumentParser(prog="python -m illus.learn.grid", description=__doc__.splitlines()[0])
    parser.add_argument("--part", default="1/1", metavar="I/N", help="only part I of N; from 1")
    parser.add_argument("--highest", type=float, default=GRID.highest, help="rate that the search stops at")
    options = parser.parse_args(arguments)
    found = re.fullmatch(r"(\d+)/(\d+)", options.part)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        parser.error(f"--part {options.part}: I/N, with I from 1 to N")
    part, parts = int(found[1]), int(found[2])
    folder = paths.data_dir()
    work = paths.work_dir(folder)
    dataset = read_table(work / "split_by_cluster.csv")
    table = paths.RESULTS / "grid.csv"
    remember(table, work)  # the part has a table of its own
    own = table if parts == 1 else table.with_name(f"grid-{part}-of-{parts}.csv")
    run(replace(GRID, highest=options.highest), dataset, folder, work, own, part - 1, parts)
    if parts > 1:
        merge([own], table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
