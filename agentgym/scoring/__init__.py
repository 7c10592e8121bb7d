"""From the agent's end state to numbers: what it changed, what the tests say of it, what it is worth."""
