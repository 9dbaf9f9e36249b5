"""Catalog -> which images are duplicates or variants of others, and which one is kept."""
