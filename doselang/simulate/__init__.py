"""Simulation: operating characteristics of a protocol under scenarios, exact or from simulated trials."""
