"""`agentgym view`: trajectories as local web pages. It reads files and writes none."""
