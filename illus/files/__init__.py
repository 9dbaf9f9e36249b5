"""Class folders -> one reading of each file: catalog, measures, cache; tables, overrides, archives."""
