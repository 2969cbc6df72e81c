"""One run on many machines: ranks process units of the work, each unit with its own journal."""
