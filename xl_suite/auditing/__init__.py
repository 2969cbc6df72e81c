"""The quality of a judge in a language: how many defects planted in answers the judge finds."""
