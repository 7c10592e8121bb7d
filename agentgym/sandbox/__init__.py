"""Isolated places where commands run: `namespaces` (Linux namespaces and overlayfs) and `docker`."""
