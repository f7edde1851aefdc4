"""Copies of the tables in schema/, made by python/scripts/copy_tables.py, so that this package is complete in itself."""
