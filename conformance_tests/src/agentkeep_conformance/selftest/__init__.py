"""`agentkeep-conformance selftest`: the suite's own test. Every planted fault is seen, every test sees one."""
