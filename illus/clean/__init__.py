"""A catalog -> duplicates and photos -> a split, balanced data set."""
