"""Floor 3: trains a policy on the rewards of its own episodes."""
