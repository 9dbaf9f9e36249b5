"""This project's duplicates of one folder.

In: class folders. Out: the catalog and the table of :func:`illus.copies.duplicates.find_duplicates`, pickled.
"""

import argparse

from illus.copies.duplicates import find_duplicates
from illus.files.catalog import scan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("catalog")
    parser.add_argument("duplicates")
    options = parser.parse_args()
    catalog = scan(options.folder)
    catalog.to_pickle(options.catalog)
    find_duplicates(catalog, options.folder).to_pickle(options.duplicates)


if __name__ == "__main__":
    main()
