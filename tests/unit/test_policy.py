"""A policy is typed; what is wrong in it is named with its line and the fix."""

from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from stakazo_pipelines.errors import ConfigError
from stakazo_pipelines.policy import Policy, load_policy, parse_policy
from stakazo_pipelines.vocabulary import Autonomy

PROJECT_POLICY = Path(__file__).resolve().parents[2] / "policy.yaml"


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_policy(text, source="policy.yaml")
    return str(caught.value).splitlines()


def test_an_empty_file_is_the_default_policy():
    assert parse_policy("", source="policy.yaml") == Policy()


def test_the_projects_own_policy_is_valid():
    assert load_policy(PROJECT_POLICY).autonomy.live is Autonomy.OBSERVE


def test_a_misspelt_setting_is_named_with_its_line():
    text = "allocation:\n  min_change: 0.02\n  step_kap: 0.2\n"
    assert problems(text) == [
        "policy.yaml:3: allocation.step_kap: no such setting; remove it or correct its name",
    ]


def test_a_wrong_value_is_named_with_its_line_and_what_it_is():
    [problem] = problems("platforms: [meta]\nmeasurement:\n  window_days: soon\n")
    assert problem.startswith("policy.yaml:3: measurement.window_days: ")
    assert "valid integer" in problem
    assert problem.endswith("it is 'soon'")


def test_a_wrong_item_of_a_list_is_named_with_its_own_line():
    [problem] = problems("ingest:\n  reread_ages:\n    - 1\n    - 0\n")
    assert problem.startswith("policy.yaml:4: ingest.reread_ages.1: ")


def test_every_problem_is_listed_at_once():
    found = problems("allocation:\n  step_cap: 2\nautonomy:\n  live: sure\n")
    assert [line.split(": ")[:2] for line in found] == [
        ["policy.yaml:2", "allocation.step_cap"],
        ["policy.yaml:4", "autonomy.live"],
    ]


def test_a_step_above_the_daily_cap_is_refused_with_the_fix():
    [problem] = problems("allocation: {step_cap: 0.5}\nguardrails: {entity_24h: 0.3}\n")
    assert "lower the step or raise the 24 h cap" in problem


def test_broken_yaml_is_named_with_its_line():
    [problem] = problems("platforms: [meta]\nallocation: [\n")
    assert problem.startswith("policy.yaml:3: not valid YAML")


def test_a_list_is_no_policy():
    assert problems("- meta\n") == ["policy.yaml:1: a policy is a mapping of sections, not list"]


def test_a_missing_file_says_which_variable_names_one(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read .* STAKAZO_POLICY"):
        load_policy(tmp_path / "none.yaml")


def test_an_account_is_keyed_by_its_platform():
    [problem] = problems("accounts:\n  act_1: {autonomy: approve}\n")
    assert problem.startswith("policy.yaml:2: accounts.act_1")


def test_money_of_a_policy_is_exact():
    policy = parse_policy("accounts:\n  meta/1: {total: 100.1}\n", source="policy.yaml")
    assert policy.accounts["meta/1"].total == Decimal("100.1")


def test_a_policy_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        Policy().platforms = ("tiktok",)


@pytest.mark.parametrize(
    ("account", "sandbox", "expected"),
    [
        ("1", False, Autonomy.APPROVE),  # its own word counts most
        ("2", False, Autonomy.OBSERVE),
        ("2", True, Autonomy.AUTONOMOUS),
        ("3", False, Autonomy.OBSERVE),  # an override of something else is no word on autonomy
    ],
)
def test_a_live_account_is_only_observed_until_told_otherwise(account, sandbox, expected):
    policy = parse_policy("accounts:\n  meta/1: {autonomy: approve}\n  meta/3: {held: ['9']}\n", source="policy.yaml")
    assert policy.autonomy_of("meta", account, sandbox=sandbox) is expected


def test_an_account_of_the_same_id_elsewhere_is_another_account():
    policy = parse_policy("accounts:\n  meta/1: {autonomy: autonomous}\n", source="policy.yaml")
    assert policy.autonomy_of("tiktok", "1", sandbox=False) is Autonomy.OBSERVE


@pytest.mark.parametrize("names", ["[meta, facebok]", "[meta, meta]"])
def test_a_platform_that_there_is_not_or_that_stands_twice_is_named_with_its_line(names):
    with pytest.raises(ConfigError, match=r"policy\.yaml:1: platforms"):
        parse_policy(f"platforms: {names}\n", source="policy.yaml")


def test_money_moves_between_accounts_unless_policy_says_otherwise():
    assert Policy().portfolio.move_between_accounts
    assert not parse_policy("portfolio: {move_between_accounts: false}\n", source="p").portfolio.move_between_accounts


@pytest.mark.parametrize("wrong", ["reporting_currency: euro", "account_step: 0", "account_step: 1.5"])
def test_a_portfolio_setting_that_cannot_work_is_named(wrong):
    [problem] = problems(f"portfolio:\n  {wrong}\n")
    assert problem.startswith(f"policy.yaml:2: portfolio.{wrong.split(':')[0]}: ")


def test_an_accounts_own_total_stands_before_that_of_all():
    policy = parse_policy("allocation: {total: 50}\naccounts:\n  meta/1: {total: 100.1}\n", source="policy.yaml")
    assert (policy.total_of("meta", "1"), policy.total_of("tiktok", "1")) == (Decimal("100.1"), Decimal(50))


@pytest.mark.parametrize(
    ("account", "words"),
    [
        ("bounds: {min: 20, max: 10}", "min is above max; lower it by 10"),
        ("arms: {a1: {min: 3, max: 1}}", "min is above max"),
        ("groups: {brand: {entities: []}}", "at least 1 item"),
        ("groups: {brand: {entities: [c1], within: all}}", "which is no group around it"),
        ("groups: {one: {entities: [a], within: two}, two: {entities: [a], within: one}}", "no group around it"),
        ("{flight: {first: 2026-07-02, last: 2026-07-01, total: 5}}", "before it begins"),
        ("{flight: {first: 2026-07-06, last: 2026-07-07, total: 5, weekdays: [0, 0, 1, 1, 1, 1, 1]}}", "no day of the"),
        ("{total: 5, flight: {first: 2026-07-01, last: 2026-07-02, total: 5}}", "are two totals"),
    ],
)
def test_bounds_that_contradict_each_other_are_refused(account, words):
    [problem] = problems(
        f"accounts:\n  meta/1: {account}\n" if account[0] == "{" else f"accounts:\n  meta/1:\n    {account}\n"
    )
    assert words in problem


def test_an_account_with_a_flight_has_no_total_of_its_own_and_shares_none():
    policy = parse_policy(
        "allocation: {total: 7}\naccounts:\n  meta/1: {flight: {first: 2026-07-01, last: 2026-07-31, total: 310}}\n",
        source="policy.yaml",
    )
    assert policy.total_of("meta", "1") is None
    assert not policy.shares_total("meta", "1")
    assert policy.total_of("meta", "2") == 7


@pytest.mark.parametrize("number", [".inf", "-.inf", ".nan"])
@pytest.mark.parametrize("setting", ["explore", "target_roas", "risk_deviations", "total"])
def test_numbers_that_are_none_are_refused_with_their_line(setting, number):
    [problem] = problems(f"allocation:\n  {setting}: {number}\n")
    assert problem.startswith(f"policy.yaml:2: allocation.{setting}: ")


def test_growth_without_end_is_refused():
    [problem] = problems("guardrails: {max_budget_growth: .inf}\n")
    assert "finite number" in problem


def test_an_impossible_day_is_named_with_its_line():
    [problem] = problems("accounts:\n  meta/1:\n    flight: {first: 2026-06-01, last: 2026-06-31, total: 10}\n")
    assert problem.startswith("policy.yaml:3: ")
    assert "2026-06-31" in problem


def test_a_file_that_is_no_text_is_named(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_bytes("# für alle\n".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"policy\.yaml: not UTF-8 text"):
        load_policy(path)
