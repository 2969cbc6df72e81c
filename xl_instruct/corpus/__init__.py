"""Passages: read, sampled, filtered and decontaminated."""
