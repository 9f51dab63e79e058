"""The terminal's commands on files and on the operations database, in this process."""

import sys
from datetime import UTC, date, datetime

import polars as pl
import pytest
from sqlalchemy.engine import make_url

from stakazo_pipelines import cli
from stakazo_pipelines.operations import controls, open_operations


@pytest.fixture
def stakazo(monkeypatch, tmp_path, capsys):
    """Runs a command in a bare home; (exit code, standard output, standard error)."""
    for name in ("STAKAZO_POLICY", "STAKAZO_SANDBOX_URL", "DATABASE_URL", "META_ACCESS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("STAKAZO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home").mkdir()

    def run(*arguments: str) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["stakazo", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.app()
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return run


@pytest.fixture
def table(tmp_path):
    """Thirty days of three ad groups, one of which earns four times as much."""
    rows = [
        {
            "date": date(2026, 6, day),
            "ad_group": name,
            "spend": 50.0,
            "conversions": rate + day % 2,
            "conversions_value": 20.0 * (rate + day % 2),
        }
        for day in range(1, 31)
        for name, rate in (("weak", 3), ("middle", 6), ("strong", 12))
    ]
    path = tmp_path / "table.csv"
    pl.DataFrame(rows).write_csv(path)
    return str(path)


def test_every_command_is_listed(stakazo):
    _, said, _ = stakazo("--help")
    for name in ("run", "up", "simulate", "plan", "import", "build", "status", "approve", "rollback", "stop", "resume"):
        assert name in said
    assert "sandbox" in said


def test_a_plan_moves_money_to_what_earns_more(stakazo, table, tmp_path):
    code, said, _ = stakazo("plan", table, "--as-of", "2026-07-10", "--out", str(tmp_path / "plan.parquet"))
    assert code == 0
    assert "strong" in said
    plan = {row["ad_group"]: row for row in pl.read_parquet(tmp_path / "plan.parquet").iter_rows(named=True)}
    assert set(plan) == {"weak", "middle", "strong"}
    assert all(row["state"] in {"ok", "stale", "immature", "insufficient"} for row in plan.values())


def test_a_plan_keeps_to_the_total_it_is_given(stakazo, table, tmp_path):
    out = tmp_path / "plan.csv"
    code, _, _ = stakazo("plan", table, "--as-of", "2026-07-01", "--total", "140", "--out", str(out))
    assert code == 0
    assert pl.read_csv(out)["proposed_budget"].sum() <= 140 + 1e-9


def test_a_budget_of_nothing_is_told_as_switched_off(stakazo, table, tmp_path):
    out = tmp_path / "plan.csv"
    wishes = ("--as-of", "2026-07-01", "--min-viable", "48", "--step-cap", "0.6")
    code, said, error = stakazo("plan", table, *wishes, "--out", str(out))
    assert code == 0
    plan = {row["ad_group"]: row for row in pl.read_csv(out).iter_rows(named=True)}
    assert (plan["weak"]["proposed_budget"], plan["weak"]["binding"]) == (0.0, "switched_off")
    assert "switched_off" in said
    assert "switched off (a budget of 0)" in error


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--min-viable", "some"], "--min-viable 'some' is not an amount; write it as 1250 or 1250.50"),
        (["--min-viable", "inf"], "--min-viable 'inf' is not a budget a day"),
        (["--total", "much"], "--total 'much' is not an amount; write it as 1250 or 1250.50"),
        (["--as-of", "2026-13-01"], "--as-of '2026-13-01' is not a day"),
        (["--out", "no/such/folder/plan.csv"], "no/such/folder/plan.csv: cannot be written"),
        (["--mapping", "none.yaml"], "none.yaml"),
    ],
)
def test_a_mistake_is_one_line_and_status_1(stakazo, table, extra, message):
    code, said, error = stakazo("plan", table, *extra)
    assert code == 1
    assert error.startswith("error: ")
    assert message in error
    assert "Traceback" not in error + said


def test_stop_and_resume_are_on_record_with_who_and_why(stakazo, tmp_path):
    assert stakazo("stop", "--why", "odd spend", "--who", "ann", "--scope", "meta/1")[0] == 0
    assert "STOPPED meta/1 by ann" in stakazo("status")[1]
    operations = open_operations(make_url(f"sqlite:///{tmp_path / 'home' / 'operations.db'}"))
    with operations.read() as session:
        [stop] = controls.stops_in_force(session)
        assert (stop.scope, stop.who, stop.why) == ("meta/1", "ann", "odd spend")
        assert abs((datetime.now(UTC) - stop.at).total_seconds()) < 60
    operations.close()
    assert stakazo("resume", "--why", "explained", "--who", "ann", "--scope", "meta/1")[0] == 0
    assert "no stop is in force" in stakazo("status")[1]


def test_resuming_one_scope_leaves_the_stop_of_everything_in_force(stakazo):
    stakazo("stop", "--why", "x", "--who", "ann")
    stakazo("resume", "--why", "y", "--who", "ann", "--scope", "meta")
    assert "STOPPED * by ann" in stakazo("status")[1]


@pytest.mark.parametrize("command", [["approve", "0" * 64], ["rollback", "nothing-0"]])
def test_a_plan_that_does_not_exist_is_said(stakazo, command):
    code, _, error = stakazo(*command)
    assert code == 1
    assert error == "error: no such plan; `stakazo status` lists the newest ones\n"


def test_an_empty_home_has_a_status(stakazo):
    code, said, _ = stakazo("status")
    assert code == 0
    assert "none yet" in said
