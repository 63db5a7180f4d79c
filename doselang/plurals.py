"""The plural of a name or a noun, as it is written, and what a plural may be of."""

from __future__ import annotations


def plural(name: str) -> str:
    """`DLTs`, `late-toxicities`; a name that ends with an s or a digit stays as it is."""
    last = name[-1:].lower()
    if last == "s" or last.isdigit():
        return name
    return f"{name[:-1]}ies" if last == "y" and name[-2:-1].lower() not in "aeiou" else f"{name}s"


def readings(name: str) -> tuple[str, ...]:
    """The name as written, and what it may be the plural of."""
    low = name.lower()
    ends = [name[:-1]] if low.endswith("s") else []
    return (name, *ends, *([f"{name[:-3]}y"] if low.endswith("ies") else []))
