"""Replacing a judge: which rows the old one must still see, and the map from its win rates to the next one's."""
