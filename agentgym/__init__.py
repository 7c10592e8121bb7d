"""agentgym: repositories in sandboxes as Gymnasium environments, language models as coding agents.

Importing this registers `agentgym/Repo-v0` with Gymnasium and loads nothing else of ours, torch least of all.
"""

import gymnasium

gymnasium.register("agentgym/Repo-v0", entry_point="agentgym.gym:RepoEnv")
