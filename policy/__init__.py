"""Floor 2: token ids to logits to tokens. It knows kernels; it knows no RL and no gym."""
