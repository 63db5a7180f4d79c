"""Resolving: from what is written to what is meant, with every name bound and every fault reported."""

from doselang.resolve.assemble import resolve
from doselang.resolve.sentences import split_text

__all__ = ["resolve", "split_text"]
