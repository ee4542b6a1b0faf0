"""The public package for authors of adapters: what every adapter needs, written once. Our own adapters use it too.

Import its modules by name, for example `from agentkeep.spi.resend import Resend`. ARCHITECTURE.md lists them. An
adapter needs these modules and the public ones of `agentkeep`, and nothing else of core.
"""
