"""Sandboxes of Linux namespaces. Exports nothing: the supervisor imports this package without site-packages."""
