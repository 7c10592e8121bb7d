"""Episodes of the policy on many threads, put together to groups, and held-out success."""
