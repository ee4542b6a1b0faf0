"""What a process does to its files, and the states in which a crash at any step could leave them."""
