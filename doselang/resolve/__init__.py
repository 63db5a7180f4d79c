"""Resolving: from what is written to what is meant, with every name bound and every fault reported."""

from doselang.resolve.assemble import resolve
from doselang.resolve.parameters import Setting, Settings, read_setting
from doselang.resolve.sentences import split_text

__all__ = ["Setting", "Settings", "read_setting", "resolve", "split_text"]
