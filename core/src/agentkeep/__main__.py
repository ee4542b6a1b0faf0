"""`python -m agentkeep` is the command `agentkeep`, for a machine whose PATH does not have it."""

from agentkeep.cli import main

if __name__ == "__main__":
    main()
