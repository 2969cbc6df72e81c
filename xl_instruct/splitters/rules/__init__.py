"""Rules that correct where a splitter ends sentences: boundaries.py, with its data per language."""
