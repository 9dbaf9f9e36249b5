"""Scored images and tables -> figures and analyses."""
