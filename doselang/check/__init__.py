"""Checking: what the rules leave open, contradict, or put at risk, over all reachable situations."""
