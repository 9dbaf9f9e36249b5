"""The photo filter's clustering of random features.

In: how many images, each with 6 votes and 36 numbers of the autoencoder. Out: nothing; its cost counts.
"""

import argparse

import evaluate

evaluate.import_keras()

import numpy as np  # noqa: E402

from illus.photos.clusters import embed, find_clusters  # noqa: E402
from illus.photos.finder import DEFAULTS  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("n", type=int)
    options = parser.parse_args()
    ballots, codes = np.split(np.random.default_rng(0).normal(size=(options.n, 42)), [6], axis=1)
    points = embed(ballots, codes, DEFAULTS.dimensions)
    find_clusters(points, DEFAULTS.min_samples, DEFAULTS.max_points, DEFAULTS.eps_factor)


if __name__ == "__main__":
    main()
