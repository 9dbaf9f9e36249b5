"""Class folders, or the archive at a URL -> a catalog of the files."""
