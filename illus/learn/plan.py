"""What is trained: preprocessing, a grid, one question a round, the cures, and the networks of the weights.

In: nothing. Out: configurations, which :mod:`illus.learn.runs` trains. Imports no Keras.
"""

from dataclasses import dataclass, replace
from itertools import product

from illus.learn.settings import Config

SEEDS = (0, 1, 2)  # of everything that is compared

# fmt: off
# What `make weights` trains, for an average; two cores need one to two hours for each. 16 channels or
# multiples: a CPU computes with vectors of 16 numbers, one with AMX with tiles of 32 (results/step.csv). Two
# see mild changes, two strong ones for longer (results/candidates.csv). The rate: RATES below.
MEMBER = Config(width=32, blocks=(1, 2, 2, 2), stem_stride=2, input_size=64, mixing="either",
                mixing_share=0.5, epochs=60, optimizer="muon", learning_rate=8e-3)
STRONG = replace(MEMBER, augmentation="strong", epochs=100)
RECIPE = (MEMBER, replace(MEMBER, seed=1), replace(STRONG, seed=2), replace(STRONG, seed=3))

# The same for half an hour, at the rate that was used before.
HALF_HOUR = replace(MEMBER, epochs=30, learning_rate=4e-3)
TEACHERS = (HALF_HOUR, replace(HALF_HOUR, seed=1))

# For other data sets on a CPU: the best of recorded runs that two cores finish in half an hour.
CHOSEN = Config(width=32, blocks=(1, 1, 1, 1), stem_stride=2, epochs=40, optimizer="muon", learning_rate=4e-3)

# For the label check: three of these judge 20,000 images in minutes of two cores. Without label smoothing,
# since it matters how improbable a label is.
LABEL_CHECK = replace(CHOSEN, width=16, dropout=0.0, label_smoothing=0.0, epochs=16)
# fmt: on

# The small network that questions are asked of: a training takes one or two minutes of two cores.
BASE = replace(CHOSEN, width=16, dropout=0.0, input_size=32, epochs=10)


# --- The grid: block x augmentation x budget x seed, each at its own learning rate ----------------------


@dataclass(frozen=True)
class Grid:
    """What is crossed with what, and what all its runs share.

    The learning rate is tuned for each block and augmentation at the first budget, with the first seed: that
    of ``base``, its half and its double, and further while the best is the lowest or the highest.
    """

    base: Config
    blocks: tuple[str, ...] = ("plain", "residual", "squeeze-excite")
    augmentations: tuple[str, ...] = ("flip", "mild", "strong")
    budgets: tuple[int, ...] = (5, 20)  # epochs
    seeds: tuple[int, ...] = SEEDS
    is_tuned: bool = True


GRID = Grid(BASE)
QUICK_GRID = Grid(  # for a look: two augmentations of one small network
    replace(BASE, width=4, blocks=(1, 1, 1)),
    blocks=("residual",),
    augmentations=("flip", "strong"),
    budgets=(1, 2),
    seeds=SEEDS[:2],
    is_tuned=False,
)


def cells(grid: Grid) -> list[Config]:
    """The grid's cells, a block and an augmentation each, as their learning rate is tuned."""
    base = replace(grid.base, epochs=grid.budgets[0], seed=grid.seeds[0])
    return [replace(base, block=b, augmentation=a) for b, a in product(grid.blocks, grid.augmentations)]


# --- Questions: what changes, in what, on which data set -----------------------------------------------


@dataclass(frozen=True)
class Trial:
    """One answer to a question: it is trained with each of ``seeds``."""

    question: str
    answer: str
    config: Config
    data: str = "cleaned"  # name of the data set, see runs.run_trials
    seeds: tuple[int, ...] = SEEDS
    teachers: tuple[Config, ...] = ()  # trained on the same data


PREPROCESSING = tuple(
    Trial(
        "preprocessing",
        f"{fit}, {channels}, {size} px",
        replace(BASE, fit=fit, channels=channels, input_size=size, epochs=4),
    )
    for size, channels, fit in product((32, 48, 64), ("rgb", "gray", "rgb+edges"), ("pad", "stretch", "crop"))
)

# What is changed, one thing at a time, in the grid's residual network with mild changes, at its best rate.
TUNED = replace(BASE, learning_rate=8e-3)
ROUNDS = (
    Trial("base", "base", TUNED),
    Trial("balance", "no balance", TUNED, "own sizes"),
    Trial("balance", "full balance", TUNED, "equal sizes"),
    Trial(
        "mixing", "mixup or CutMix in half of the batches", replace(TUNED, mixing="either", mixing_share=0.5)
    ),
    Trial("dropout", "dropout 0.2", replace(TUNED, dropout=0.2)),
    Trial("label smoothing", "no label smoothing", replace(TUNED, label_smoothing=0.0)),
    Trial("weight averaging", "no weight averaging", replace(TUNED, ema_momentum=0.0)),
    Trial("depth", "two blocks in later stages", replace(TUNED, blocks=(1, 2, 2, 2))),
    Trial("width", "width 32", replace(TUNED, width=32)),
    Trial("input size", "64 px", replace(TUNED, input_size=64)),
    Trial("distillation", "distilled from two networks", TUNED, teachers=TEACHERS),
    Trial("optimizer", "AdamW", replace(TUNED, optimizer="adamw", learning_rate=0.032)),
    Trial("optimizer", "SGD", replace(TUNED, optimizer="sgd", learning_rate=0.4)),
)

# What changed little in 10 epochs, in 40, where there is more to overfit. Expected, before it was measured:
# mixing gains 0.01 to 0.03, depth 0.01, dropout nothing; all three, as in the weights, 0.02 or more.
LONG = replace(TUNED, epochs=40)
LONG_ROUNDS = (
    Trial("40 epochs", "base", LONG),
    Trial("40 epochs", "mixing", replace(LONG, mixing="either", mixing_share=0.5)),
    Trial("40 epochs", "dropout 0.2", replace(LONG, dropout=0.2)),
    Trial("40 epochs", "two blocks", replace(LONG, blocks=(1, 2, 2, 2))),
    Trial(
        "40 epochs",
        "all three",
        replace(LONG, blocks=(1, 2, 2, 2), dropout=0.2, mixing="either", mixing_share=0.5),
    ),
)

# The network of the weights as these would have it. Expected, before it was measured: wider, deeper and with
# larger images it overfits more, so without mixing and dropout it has 0.70 to 0.72, no more than with them
# (0.71 to 0.73 with four seeds).
UNMIXED = Trial(
    "the recipe's network",
    "neither mixing nor dropout",
    replace(MEMBER, mixing="none", mixing_share=1.0, dropout=0.0),
    seeds=(0,),
)

# The same with one block a stage, mixing and dropout, since in small networks a second gained nothing.
# Expected, before it was measured: 60 epochs underfit it a little, so 0.70 to 0.715, where four seeds of two
# blocks have 0.707 to 0.729, for about half of the multiply-adds. At their mean (0.717) or more, the next
# weights are to try twice as many networks of one block. It was 0.719, so they are to.
SHALLOW = Trial("the recipe's network", "one block a stage", replace(MEMBER, blocks=(1, 1, 1, 1)), seeds=(0,))

# Distillation for longer, from that network, whose images have twice the side. Expected, before it was
# measured: in 20 epochs, its answers for images that it has learned by heart say little beyond their
# labels, so 0.00 to 0.02 over the same network without a teacher; 0.01 or more, beyond noise, and the next
# weights distil. It was (0.015). Expected of 40, after that and before they were measured: 0.005 to 0.02
# again. It was -0.006, within noise, so they do not.
LONGER_DISTILLATION = tuple(
    Trial(f"distillation, {epochs} epochs", answer, replace(TUNED, epochs=epochs), teachers=teachers)
    for epochs in (20, 40)
    for answer, teachers in (("base", ()), ("distilled from the recipe's network", (UNMIXED.config,)))
)

# The same network with other optimizers: the rate with the first seed, until the best is not at an edge.
OPTIMIZER_RATES = tuple(
    Trial(f"rate of {name}", f"{rate:g}", replace(TUNED, optimizer=name, learning_rate=rate), seeds=(0,))
    for name, rates in {
        "adamw": (1e-3, 2e-3, 4e-3, 8e-3, 16e-3, 32e-3, 64e-3),
        "sgd": (0.05, 0.1, 0.2, 0.4, 0.8, 1.6),
    }.items()
    for rate in rates
)

# The largest class 34 times the smallest, as in the challenge, where balance matters more.
UNEQUAL = (
    Trial("balance at 34 : 1", "square root", TUNED, "34:1"),
    Trial("balance at 34 : 1", "no balance", TUNED, "34:1, own sizes"),
    Trial("balance at 34 : 1", "full balance", TUNED, "34:1, equal sizes"),
)

# From the files as they were collected to what is trained on: equally many steps, the same validation images.
CURES = tuple(
    Trial("cures", name, replace(BASE, epochs=6, steps_per_epoch=150), name)
    for name in ("as collected", "without copies", "without photographs", "balanced")
)

# What photographs cost a network that knows the classes better than those of photo_harm. Expected, before it
# was measured: F1 of the five classes and of the others differ by less than 0.02, within noise.
PHOTOGRAPHS = tuple(
    Trial("photographs", name, replace(BASE, width=32, input_size=64, epochs=10, steps_per_epoch=150), name)
    for name in ("without copies", "without photographs")
)

# The base judged on other draws of the validation part.
DRAWS = tuple(Trial("validation part", name, TUNED, name) for name in ("another draw", "a third draw"))

# Validation on the drawings of an artist whose hand training has not seen, as the test folders ask for.
HELD_OUT_ARTISTS = ("openmoji", "twemoji")
HANDS = tuple(
    Trial(
        f"another hand, {artist}",
        augmentation,
        replace(TUNED, augmentation=augmentation, learning_rate=rate, epochs=20),
        f"without {artist}",
        seeds=SEEDS[:2],
    )
    for artist, (augmentation, rate) in product(
        HELD_OUT_ARTISTS, {"flip": 8e-3, "mild": 8e-3, "strong": 16e-3}.items()
    )
)

# The learning rate of the recipe's network, on a short budget: half of it and twice of it.
RATES = tuple(
    Trial("rate of the recipe", f"{rate:g}", replace(MEMBER, epochs=5, learning_rate=rate), seeds=(0,))
    for rate in (4e-3, 8e-3, 16e-3)
)

# Concepts that no artist's drawing of which was trained on, in two draws of them.
NEW_CONCEPTS = (
    Trial("new concepts", "never seen in training", HALF_HOUR, "new concepts", seeds=(0,)),
    Trial("new concepts", "another draw", HALF_HOUR, "other new concepts", seeds=(0,)),
)
