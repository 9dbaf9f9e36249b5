"""Catalog -> which images are photographs among the drawings."""
