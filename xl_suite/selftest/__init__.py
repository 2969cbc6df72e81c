"""Faults and kills against the loopback server, on the user's own machine."""
