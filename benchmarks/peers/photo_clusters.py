"""The photo filter's clustering of random features.

In: how many rows of 11 features. Out: nothing; its cost is what is measured.
"""

import argparse

import evaluate

evaluate.import_keras()

import numpy as np  # noqa: E402

from illus.clean.clusters import find_clusters, reduce  # noqa: E402
from illus.clean.photos import DEFAULTS  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("n", type=int)
    options = parser.parse_args()
    features = np.random.default_rng(0).normal(size=(options.n, 11))
    find_clusters(reduce(features, DEFAULTS.dimensions), DEFAULTS.min_samples, DEFAULTS.max_points)


if __name__ == "__main__":
    main()
