"""A mapping names columns; every mistake in one is answered with the field and the nearest right name."""

from pathlib import Path

import pytest

from stakazo_pipelines.errors import ConfigError, InputError
from stakazo_pipelines.importing import load_mapping, mapping_from_flags

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
FLAGS = ["date=day", "ad_group=banner,placement", "spend=cost"]


def test_the_example_mappings_are_valid() -> None:
    for path in (EXAMPLES / "mappings").glob("*.yaml"):
        assert load_mapping(path).spend


def test_flags_make_a_mapping() -> None:
    mapping = mapping_from_flags([*FLAGS, "date.format=%B %d", "date.year=2020", "constants.currency=EUR"])
    assert mapping.ad_group == ("banner", "placement")
    assert (mapping.date.columns, mapping.date.format, mapping.date.year) == (("day",), "%B %d", 2020)
    assert mapping.constants.currency == "EUR"


def test_flags_change_a_mapping_that_exists() -> None:
    changed = mapping_from_flags(["value=sales"], base=mapping_from_flags(FLAGS))
    assert (changed.spend, changed.value) == ("cost", "sales")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["date=day", "ad_group=a"], "spend: is needed"),
        ([*FLAGS, "adgroup=a"], "did you mean 'ad_group'"),
        ([*FLAGS, "spend"], "expected name=column"),
        ([*FLAGS, "date.year=twenty"], "date.year"),
    ],
)
def test_a_wrong_flag_is_named_with_the_fix(flags: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        mapping_from_flags(flags)


def test_a_mapped_column_that_the_file_lacks_is_answered_with_the_nearest() -> None:
    mapping = mapping_from_flags(FLAGS)
    with pytest.raises(InputError, match=r"x\.csv: spend: no column 'cost'; did you mean 'Costs'\?"):
        mapping.check_against(["day", "banner", "placement", "Costs"], source="x.csv")
    with pytest.raises(InputError, match="'cost' stands 2 times"):
        mapping.check_against(["day", "banner", "placement", "cost", "cost"], source="x.csv")


def test_a_mapping_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_mapping(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("date: [", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"bad\.yaml:\d+: not valid YAML"):
        load_mapping(tmp_path / "bad.yaml")
    (tmp_path / "list.yaml").write_text("- a", encoding="utf-8")
    with pytest.raises(ConfigError, match="not list"):
        load_mapping(tmp_path / "list.yaml")
