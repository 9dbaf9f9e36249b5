"""Configurations that are trained: a small one to compare settings with, and those of the weights.

In: nothing. Out: configurations, which :mod:`illus.learn.experiments` runs. Imports no Keras.
"""

from dataclasses import replace

from illus.learn.settings import Config

# What :mod:`illus.learn.grid` varies: 64,000 images of training.
SCREENING = Config(
    width=16,
    blocks=(1, 1, 1, 1),
    dropout=0.0,
    augmentation="affine",
    epochs=5,
    steps_per_epoch=100,
    learning_rate=4e-3,
)

# fmt: off
# Keras decays weights by rate x weight_decay, without momentum: 5e-3 is the usual 5e-4 in the gradient.
MEMBER = Config(width=28, blocks=(1, 2, 2, 2), stem_stride=2, input_size=64, epochs=90,
                optimizer="sgd", learning_rate=0.1, weight_decay=5e-3)

# What weights/best.h5 was made with, in two minutes of one H100 a network. Networks that see different
# changes make different mistakes; in results/rounds.csv a student gains less than an average.
RECIPE = (replace(MEMBER, augmentation="mild", mixing="either", mixing_share=0.5),
          replace(MEMBER, augmentation="strong", seed=1))
# fmt: on

# For other data sets on a CPU: the best of recorded runs that two cores finish in half an hour.
CHOSEN = Config(width=32, blocks=(1, 1, 1, 1), stem_stride=2, epochs=40, optimizer="muon", learning_rate=4e-3)

# For the label check: three of these judge 20,000 images in minutes of two cores. Without label smoothing,
# since it matters how improbable a label is.
LABEL_CHECK = Config(width=16, blocks=(1, 1, 1, 1), stem_stride=2, dropout=0.0, augmentation="mild",
                     label_smoothing=0.0, epochs=16, optimizer="muon", learning_rate=4e-3)  # fmt: skip
