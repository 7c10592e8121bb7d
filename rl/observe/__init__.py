"""What is seen of a run while it goes on: records from the loop, and those who write or show them."""
