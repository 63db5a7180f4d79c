"""Sweeps: protocols, parameters and scenarios from a plan, their figures kept in a journal as they come."""
