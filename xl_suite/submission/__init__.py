"""Leaderboard submissions: written, checked, and their evidence."""
