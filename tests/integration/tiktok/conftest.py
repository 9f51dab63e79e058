"""The sandbox of these tests is TikTok's."""

import pytest


@pytest.fixture
def platform():
    return "tiktok"
