"""The examples in the documentation that need no torch."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize("name", ["binary", "dataset", "measurement", "optional"])
def test_examples(name):
    module = importlib.import_module(f"saltflat.{name}")
    found = doctest.testmod(module)
    assert found.failed == 0 and found.attempted > 0
