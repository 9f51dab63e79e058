"""The dbt project says what its models are, and its marts are the ones that Python reads."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from stakazo_pipelines.marts import MART_MODELS, MART_SCHEMAS

DBT = Path(__file__).resolve().parents[3] / "dbt"


def documented() -> dict[str, dict[str, Any]]:
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in (DBT / "models").rglob("*.yml")]
    return {model["name"]: model for file in files for model in file.get("models", [])}


def test_every_model_says_what_one_row_is() -> None:
    models = {path.stem for path in (DBT / "models").rglob("*.sql")}
    assert models == set(documented())
    for name, model in documented().items():
        assert "One row per" in model["description"], name


@pytest.mark.parametrize("model", MART_MODELS)
def test_a_marts_documented_columns_are_those_that_python_reads_in_order(model: str) -> None:
    assert [column["name"] for column in documented()[model]["columns"]] == list(MART_SCHEMAS[model])
    assert all(column["description"] for column in documented()[model]["columns"])


@pytest.mark.parametrize("model", MART_MODELS)
def test_every_mart_tests_its_key_its_nulls_its_signs_and_its_ratios(model: str) -> None:
    kinds = {kind for test in documented()[model]["data_tests"] for kind in test}
    assert {"one_row_per", "never_null", "never_negative", "ratios_are_of_their_sums"} <= kinds


def test_no_package_shadows_dbt_and_none_comes_from_the_hub() -> None:
    assert list(DBT.rglob("__init__.py")) == []
    assert not (DBT / "packages.yml").exists()


def test_telemetry_is_off() -> None:
    project = yaml.safe_load((DBT / "dbt_project.yml").read_text(encoding="utf-8"))
    assert project["flags"]["send_anonymous_usage_stats"] is False
