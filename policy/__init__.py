"""Floor 2: token ids to logits to tokens. Empty until the policy is built."""
