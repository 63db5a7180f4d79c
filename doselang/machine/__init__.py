"""The machine: a protocol compiled into states and moves, and what can be asked of it."""
