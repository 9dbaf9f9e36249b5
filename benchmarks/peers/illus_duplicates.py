"""This project's duplicates of one folder.

In: class folders. Out: the catalog and the table of :func:`illus.copies.duplicates.find_duplicates`, pickled.
"""

import sys

from illus.copies.duplicates import find_duplicates
from illus.files.catalog import scan


def main() -> None:
    folder, catalog_file, duplicates_file = sys.argv[1:]
    catalog = scan(folder)
    catalog.to_pickle(catalog_file)
    find_duplicates(catalog, folder).to_pickle(duplicates_file)


if __name__ == "__main__":
    main()
