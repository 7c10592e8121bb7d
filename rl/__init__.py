"""Floor 3: trains. Empty until the training loop is built."""
