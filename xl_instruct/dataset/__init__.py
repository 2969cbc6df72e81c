"""The dataset of a run: rows, card, report, subsets and preference pairs."""
