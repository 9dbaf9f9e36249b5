"""Catalog, duplicates and photos -> a split, balanced data set, or a cleaned folder."""
