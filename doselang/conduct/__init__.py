"""Conducting a trial: what is decided after a history, and why; and whether the worked examples hold."""
