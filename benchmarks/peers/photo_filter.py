"""This project's photo filter on one folder.

In: class folders, a pickled catalog and, if known, the pickled table of duplicates. Out: the table of
:func:`illus.photos.finder.find_photos`, pickled.
"""

import argparse

import evaluate

evaluate.import_keras()

import pandas as pd  # noqa: E402

from illus.photos.finder import find_photos  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("catalog")
    parser.add_argument("out")
    parser.add_argument("--duplicates")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    copies = pd.read_pickle(options.duplicates) if options.duplicates else None
    find_photos(pd.read_pickle(options.catalog), options.folder, options.seed, copies).to_pickle(options.out)


if __name__ == "__main__":
    main()
