"""What is trained: a grid, one question a round, and the networks of the weights.

In: nothing. Out: configurations, which :mod:`illus.learn.runs` trains. Imports no Keras.
"""

from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np

from illus.learn.settings import Changes, Config, run_id

# fmt: off
# Keras decays weights by rate x weight_decay, without momentum: 5e-3 is the usual 5e-4 in the gradient.
MEMBER = Config(width=28, blocks=(1, 2, 2, 2), stem_stride=2, input_size=64, epochs=90,
                optimizer="sgd", learning_rate=0.1, weight_decay=5e-3)

# What weights/best.h5 was made with, in two minutes of one H100 a network. Networks that see different
# changes make different mistakes; in results/archive/rounds.csv a student gains less than an average.
RECIPE = (replace(MEMBER, mixing="either", mixing_share=0.5),
          replace(MEMBER, augmentation="strong", seed=1))
# fmt: on

# For other data sets on a CPU: the best of recorded runs that two cores finish in half an hour.
CHOSEN = Config(width=32, blocks=(1, 1, 1, 1), stem_stride=2, epochs=40, optimizer="muon", learning_rate=4e-3)

# For the label check: three of these judge 20,000 images in minutes of two cores. Without label smoothing,
# since it matters how improbable a label is.
LABEL_CHECK = Config(width=16, blocks=(1, 1, 1, 1), stem_stride=2, dropout=0.0,
                     label_smoothing=0.0, epochs=16, optimizer="muon", learning_rate=4e-3)  # fmt: skip


# --- The grid: block x augmentation x budget x seed, at tuned learning rates ---------------------------


@dataclass(frozen=True)
class Grid:
    """What is crossed with what, and what all its runs share.

    The learning rate is tuned for each block and augmentation at the first budget, with the first seed.
    """

    base: Config
    blocks: tuple[str, ...] = ("plain", "residual", "squeeze-excite")
    augmentations: tuple[str, ...] = ("flip", "mild", "strong")
    budgets: tuple[int, ...] = (10, 60)  # epochs
    seeds: tuple[int, ...] = (0, 1)
    rates: int = 5  # learning rates that are tried in a cell
    rate_limits: tuple[float, float] = (1e-3, 2e-2)
    highest: float = 0.1  # while the highest rate is the best, its double is tried, up to here
    search_seed: int = 0


GRID = Grid(Config(width=16, blocks=(1, 1, 1, 1), stem_stride=2, dropout=0.0))
QUICK_GRID = Grid(  # for a look: two augmentations of one small network
    replace(GRID.base, width=4, blocks=(1, 1, 1)),
    blocks=("residual",),
    augmentations=("flip", "strong"),
    budgets=(1, 2),
    rates=1,
    highest=0.0,
)


def learning_rates(grid: Grid) -> list[float]:
    """The rates that are tried, rising: one drawn from each of ``grid.rates`` parts of the log range."""
    low, high = np.log(grid.rate_limits)
    parts = np.arange(grid.rates) + np.random.default_rng(grid.search_seed).random(grid.rates)
    return [float(f"{rate:.3g}") for rate in np.exp(low + (high - low) * parts / grid.rates)]


def cells(grid: Grid) -> list[Config]:
    """The grid's cells, a block and an augmentation each, as their learning rate is tuned."""
    base = replace(grid.base, epochs=grid.budgets[0], seed=grid.seeds[0])
    return [replace(base, block=b, augmentation=a) for b, a in product(grid.blocks, grid.augmentations)]


# --- One question a round, about one network of the grid -----------------------------------------------


@dataclass(frozen=True)
class Answer:
    """What is tried for a question: settings that replace those of the base."""

    question: str
    answer: str
    changes: Changes = field(default_factory=dict)
    teachers: tuple[Config, ...] = ()


@dataclass(frozen=True)
class Rounds:
    """A base, what is tried in its place, and the seeds of each."""

    base: Config
    answers: tuple[Answer, ...]
    seeds: tuple[int, ...] = (0, 1)


# The residual network of the grid, at the rate that its search found.
BASE = replace(GRID.base, learning_rate=0.0179, epochs=20)
ROUNDS = Rounds(
    BASE,
    (
        Answer("base", "base"),
        Answer("mixing", "mixup or CutMix in half of the batches", {"mixing": "either", "mixing_share": 0.5}),
        Answer("learning rate", "twice the rate", {"learning_rate": 2 * BASE.learning_rate}),
        Answer("input size", "64 px", {"input_size": 64}),
        Answer("depth", "two blocks in each stage after the first", {"blocks": (1, 2, 2, 2)}),
        Answer("width", "half as many channels again", {"width": 24}),
        Answer("distillation", "taught by the shipped networks", teachers=RECIPE),
    ),
)


def configs_of(answer: Answer, rounds: Rounds, data: str) -> list[Config]:
    """The settings of an answer, one for each seed, with the ids of its teachers on data of a hash."""
    teachers = tuple(run_id(teacher, data) for teacher in answer.teachers)
    return [replace(rounds.base, **answer.changes, teachers=teachers, seed=seed) for seed in rounds.seeds]
