"""In which order groups are rolled out and trained on: a state machine without a clock, and a simulation of it."""
