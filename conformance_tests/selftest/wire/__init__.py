"""A toy: the memory adapter in a server process, and an adapter that reaches it over TCP.

It makes the proxy, fault, cancellation and cost families testable where no database server is, and later planted faults
stand in it. It is written to be right, so that a family that fails on it is wrong itself.
"""
