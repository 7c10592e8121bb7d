"""What a batch is learnt by: pure functions from log-probabilities and rewards to a loss, and what is told of it."""
