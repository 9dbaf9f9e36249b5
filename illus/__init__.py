"""What the notebooks import: from class folders to a catalog, a cleaned data set and a trained CNN.

Importing this package or any of its modules has no side effect.
"""
