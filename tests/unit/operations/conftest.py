"""Where the operations database of a test is."""

from pathlib import Path

import pytest
from sqlalchemy.engine import URL, make_url


@pytest.fixture
def operations_url(tmp_path: Path) -> URL:
    return make_url(f"sqlite:///{tmp_path / 'operations.db'}")
