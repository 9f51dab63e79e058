"""The sandbox of these tests is LinkedIn's."""

import pytest


@pytest.fixture
def platform():
    return "linkedin"
