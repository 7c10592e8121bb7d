"""What is trained on: where tasks come from, and which one is next."""
