"""The sandbox of these tests is Meta's."""

import pytest


@pytest.fixture
def platform():
    return "meta"
