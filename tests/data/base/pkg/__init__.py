"""A package that the sandbox tests change and delete."""
