"""Scored images and tables -> figures, analyses and findings."""
