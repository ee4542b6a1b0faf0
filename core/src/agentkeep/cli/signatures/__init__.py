"""The commands' names, arguments and help. A command's work is imported only when it runs, so that `--help` is fast."""
