"""Kernels against their peers, on the CPU and on one GPU."""
