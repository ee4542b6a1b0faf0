pytest_plugins = ["agentkeep.testing"]
