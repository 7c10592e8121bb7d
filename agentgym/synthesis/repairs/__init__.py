"""Small functions with one bug in each, made without end: see `family.py`."""
