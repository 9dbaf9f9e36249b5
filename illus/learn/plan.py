"""The plan of experiments: one question a round, written before the runs.

In: nothing. Out: rounds of changes to one configuration, which :mod:`illus.learn.experiments` runs. A round
starts from what the round before adopted. Imports no Keras.
"""

from dataclasses import dataclass, field, replace

from illus.config import profile
from illus.learn.settings import Changes, Config

Factors = dict[str, dict[str, Changes]]  # factor -> name of a variant -> settings that it changes

# fmt: off
# Every run of the first five rounds is trained on 64,000 images, whatever else it changes.
SCREENING = Config(width=16, blocks=(1, 1, 1, 1), dropout=0.0, augmentation="affine", epochs=5,
                   steps_per_epoch=100, learning_rate=4e-3)
# fmt: on


@dataclass(frozen=True)
class Round:
    """One question, and the changes of the configuration that answer it."""

    name: str
    question: str
    factors: Factors
    start: Changes = field(default_factory=dict)  # settings that the round changes before it begins


def by_name(setting: str, *values: str | float) -> dict[str, Changes]:
    """Variants of one setting, named by their values."""
    return {str(value): {setting: value} for value in values}


# fmt: off
# Wide and deep where the map is small: on a CPU this gives most multiply-adds a second.
LONG: Changes = {"width": 48, "blocks": (1, 2, 2), "stem_stride": 2, "dropout": 0.2, "epochs": 20,
                 "steps_per_epoch": None, "augmentation": "affine+colour"}
NARROWER: Changes = {"width": 32, "blocks": (1, 1, 1, 1), "epochs": 40}

PLAN = (
    Round("preprocessing", "How should an image reach the network?", {
        "input size": by_name("input_size", 32, 64, 96),
        "fit": by_name("fit", "stretch", "crop"),
        "colour": by_name("channels", "gray"),
        "normalisation": by_name("normalisation", "ink", "image", "channel"),
    }),
    Round("image processing", "Do filters before the network help it?", {
        "filter": by_name("channels", "edges", "rgb+edges", "rgb+contrast", "smoothed"),
    }),
    Round("balance and loss", "How should small classes be made to count?", {
        "sampling": {"as they come": {"sampling_power": 1.0},
                     "classes equally often": {"sampling_power": 0.0}},
        "weights": {"class weights": {"sampling_power": 1.0, "class_weighting": 0.5},
                    "prior in the loss": {"sampling_power": 1.0, "logit_adjustment": 1.0}},
        "loss": {"no smoothing": {"label_smoothing": 0.0}, "focal": {"loss": "focal"}},
    }),
    Round("structure", "Which blocks, how deep, how wide, at equal cost?", {
        "network": {
            "plain": {"block": "plain"},
            # TensorFlow's depthwise convolutions are slow on a CPU, in bfloat16 most of all
            "separable": {"block": "separable", "width": 40, "precision": "float32"},
            "squeeze-excite": {"block": "squeeze-excite"},
            "mixer": {"block": "mixer", "width": 192, "blocks": (6,), "precision": "float32"},
            "deeper, narrower": {"width": 12, "blocks": (1, 2, 2, 2)},
            "shallower": {"blocks": (2, 1, 1)},
            "half size at once": {"stem_stride": 2, "width": 32},
            "half size at once, deeper": {"stem_stride": 2, "width": 24, "blocks": (1, 2, 2, 2)},
        },
        "pooling": by_name("pooling", "max", "both"),
    }),
    Round("training", "How should it be trained?", {
        "augmentation": by_name("augmentation", "none", "flip", "affine+colour", "affine+colour+hand",
                                "affine+colour+erasing", "affine+colour+texture"),
        "mixing": by_name("mixing", "mixup", "cutmix"),
        "optimiser": {"SGD": {"optimizer": "sgd", "learning_rate": 0.1, "weight_decay": 5e-4},
                      "Muon": {"optimizer": "muon", "learning_rate": 4e-3}},
        "schedule": {"constant": {"schedule": "constant"}},
        "averaging": {"no average of weights": {"ema_momentum": 0.0}},
    }),
    Round("long training", "What changes when there is time to overfit?", {
        "augmentation": {"flip": {"augmentation": "flip"},
                         "affine+colour+texture": {"augmentation": "affine+colour+texture"},
                         "affine+colour, cutmix": {"mixing": "cutmix"}},
        "shape": {"narrower, twice the epochs": NARROWER},
    }, start=LONG),
)
# fmt: on

QUICK_PLAN = (Round("preprocessing", PLAN[0].question, {"normalisation": by_name("normalisation", "ink")}),)


@dataclass(frozen=True)
class Recipe:
    """What is trained for the weights that are shipped: networks that are averaged, and their teachers."""

    members: tuple[Config, ...]  # their ``teachers`` are filled in when they are trained
    teachers: tuple[Config, ...] = ()


# fmt: off
# Keras decays weights by rate x weight_decay, without momentum: 5e-3 is the usual 5e-4 in the gradient.
BOTH = Config(width=32, blocks=(1, 2, 2, 2), stem_stride=2, input_size=64, augmentation="strong",
              mixing="either", mixing_share=0.5, optimizer="sgd", learning_rate=0.1, weight_decay=5e-3)
# Networks that see different changes make different mistakes.
MIXED = replace(BOTH, augmentation="mild")
STRONG = replace(BOTH, mixing="none", mixing_share=1.0)

RECIPES = {  # by device
    # About eight hours of two cores, 2.7 at most for a run: 100 epochs without teachers take two.
    "cpu": Recipe((replace(BOTH, epochs=80),),
                  (replace(MIXED, epochs=120), replace(STRONG, epochs=120, seed=1))),
    # What weights/best.h5 was made with, in two minutes of one H100 a network.
    "gpu": Recipe((replace(MIXED, width=28, epochs=90), replace(STRONG, width=28, epochs=90, seed=1))),
}
# fmt: on

# For other data sets, without their own experiments: the best finalist on emoji20.
CHOSEN = replace(SCREENING, **LONG | NARROWER, optimizer="muon")


def rounds_of_profile() -> tuple[Round, ...]:
    """``QUICK_PLAN`` in the quick profile, otherwise ``PLAN``."""
    return QUICK_PLAN if profile().name == "quick" else PLAN


# What the last round takes away from the configuration that the others ended with.
WITHOUT: dict[str, Changes] = {
    "without augmentation": {"augmentation": "none"},
    "classes drawn as they come": {"sampling_power": 1.0},
    "without label smoothing": {"label_smoothing": 0.0},
    "without shortcuts": {"block": "plain"},
    "without a falling rate": {"schedule": "constant"},
    "without an average of weights": {"ema_momentum": 0.0},
}


def ablation(base: Config, adopted: dict[str, Changes]) -> Round:
    """The round that takes techniques away, one at a time.

    Parameters
    ----------
    base : Config
        What the plan ended with.
    adopted : dict of str to dict
        What its rounds adopted, name to settings; each is set back to what the plan began with.

    Returns
    -------
    Round
        Changes that would not change ``base`` are left out.
    """
    back = {
        f"without {name}": {setting: getattr(SCREENING, setting) for setting in changes}
        for name, changes in adopted.items()
    }
    taken = {name: changes for name, changes in (back | WITHOUT).items() if replace(base, **changes) != base}
    return Round("ablation", "What is each technique worth?", {"technique": taken})
