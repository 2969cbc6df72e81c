"""Model outputs: the prompts of a benchmark, answered by a model."""
