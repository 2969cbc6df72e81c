"""m-AlpacaEval: AlpacaEval's prompts in other languages, each to be answered in its own (paper, section 6)."""
