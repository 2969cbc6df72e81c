"""Model servers that are started for a run and stopped after it."""
