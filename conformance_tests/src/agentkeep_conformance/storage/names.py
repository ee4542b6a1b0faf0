"""A corpus is stored under a name of its own, which stands for the namespace that reads it."""

CORPUS_NAMESPACE = "n0000000000"
"""As long as every namespace of the suite, so that renaming moves no byte of a file."""
