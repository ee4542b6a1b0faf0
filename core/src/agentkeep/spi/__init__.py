"""What adapters are built from: public for everybody who writes one, and used by ours alike.

An adapter imports these modules and the public ones of `agentkeep`, and nothing else of its insides.
"""
