"""Batches of training samples in, better weights out: prefix trees, microbatches, the optimizer."""
