"""Scores from 1 to 5 by rubric."""
