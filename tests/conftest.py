"""What all tests share: how hypothesis draws its examples."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# The same examples at every run of the continuous integration; more of them, and new ones, on demand:
# `pytest --hypothesis-profile=thorough`.
settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("thorough", deadline=None, max_examples=2000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci" if os.environ.get("CI") else "dev")


def pytest_addoption(parser: pytest.Parser) -> None:
    help = "rewrite what documents say that commands print, where it is not what they print"
    parser.addoption("--update-documents", action="store_true", help=help)
