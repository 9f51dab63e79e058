"""A process that is killed while dbt writes leaves a manifest that the next one can load."""

from pathlib import Path

import orjson
import psutil
import pytest

from resources.dbt import DbtResource

PROJECT = Path(__file__).resolve().parents[2] / "dbt"


@pytest.mark.slow
def test_a_manifest_that_dbt_left_torn_keeps_nobody_from_loading(tmp_path, monkeypatch):
    monkeypatch.setenv("STAKAZO_LAKE", str(tmp_path / "lake"))
    dbt = DbtResource(project=str(PROJECT), target=str(tmp_path / "target"))
    dbt.parse_when_stale()
    whole = dbt.manifest.read_bytes()

    (tmp_path / "target" / "manifest.json").write_bytes(whole[: len(whole) // 2])
    dbt.parse_when_stale()
    assert dbt.manifest.read_bytes() == whole

    # Another process finds its copy stale while a build is writing the shared one.
    dbt.manifest.unlink()
    dbt.parse_when_stale()
    assert orjson.loads(dbt.manifest.read_bytes())["nodes"].keys() == orjson.loads(whole)["nodes"].keys()
    assert [path.name for path in (tmp_path / "target").glob("parse.*")] == []
    assert orjson.loads(whole)["nodes"]


@pytest.mark.slow
def test_dbt_leaves_no_file_open(tmp_path, monkeypatch):
    monkeypatch.setenv("STAKAZO_LAKE", str(tmp_path / "lake"))
    dbt = DbtResource(project=str(PROJECT), target=str(tmp_path / "target"))
    dbt.parse_when_stale()
    assert (tmp_path / "target" / "logs" / "dbt.log").exists()
    assert [file.path for file in psutil.Process().open_files() if Path(file.path).is_relative_to(tmp_path)] == []
