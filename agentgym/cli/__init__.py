"""The command line: one file a noun or verb, thin over the library. Progress on stderr, results on stdout."""
