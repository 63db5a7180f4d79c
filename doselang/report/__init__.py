"""Findings and tables in words: each renderer is a pure function from records to a text."""
