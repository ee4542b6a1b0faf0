"""`agentkeep-conformance mutate`: changes a package in one place at a time and shows what no test sees."""
