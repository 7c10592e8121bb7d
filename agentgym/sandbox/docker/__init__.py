"""Sandboxes of a Docker engine."""
