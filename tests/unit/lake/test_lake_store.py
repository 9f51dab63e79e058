"""Raw vintages: appended once, never overwritten, chosen whole by fetch time, whatever happened to the writers."""

import os
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stakazo_pipelines.errors import LakeError
from stakazo_pipelines.lake import Lake, entities_frame, insight_rows_frame
from stakazo_pipelines.money import Money
from stakazo_pipelines.platforms.port import Account, Budget, BudgetPeriod, Entity, InsightRow
from stakazo_pipelines.vocabulary import EntityStatus, Level

ACCOUNT = Account("act_1/ä", "Shop", "EUR", "Europe/Berlin", 100, EntityStatus.ACTIVE)
DAY = date(2026, 6, 1)
MORNING = datetime(2026, 6, 2, 6, tzinfo=UTC)


def ad(spend: str, *, ad_id: str = "1", day: date = DAY) -> InsightRow:
    return InsightRow(
        day, Level.AD, ACCOUNT.id, "c", "g", ad_id, "C", "G", "A", 100, 5, Decimal(spend), Decimal(1), Decimal(9), "7d"
    )


def append(lake: Lake, rows: list[InsightRow], *, fetched_at: datetime = MORNING, day: date = DAY) -> Path:
    frame = insight_rows_frame(rows, account=ACCOUNT, level=Level.AD, platform="meta", fetched_at=fetched_at)
    return lake.append_raw("meta", "insights_ad", day=day, account_id=ACCOUNT.id, fetched_at=fetched_at, frame=frame)


def newest_spend(lake: Lake) -> list[Decimal]:
    frame = lake.newest("insights_ad", platform="meta", since=DAY, until=DAY + timedelta(days=9)).whole()
    return frame.get_column("spend").to_list()


def test_the_file_name_tells_day_fetch_time_account_and_content(tmp_path: Path) -> None:
    path = append(Lake(tmp_path), [ad("1.5")])
    assert path.parent.name == "day=2026-06-01"
    stamp, account, digest = path.stem.split("--")
    assert (stamp, account) == ("20260602T060000Z", "act_1%2F%C3%A4")
    assert len(digest) == 8
    [file] = Lake(tmp_path).raw_files("insights_ad")
    assert (file.account_id, file.day, file.fetched_at, file.platform) == (ACCOUNT.id, DAY, MORNING, "meta")


def test_the_same_content_of_the_same_fetch_is_kept_once_whatever_the_order_of_rows(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    rows = [ad("1.5"), ad("2.5", ad_id="2")]
    assert append(lake, rows) == append(lake, rows[::-1])
    assert len(lake.raw_files("insights_ad")) == 1


def test_a_later_fetch_adds_a_vintage_and_wins_whole(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    append(lake, [ad("1"), ad("2", ad_id="2")])
    append(lake, [ad("1.25")], fetched_at=MORNING + timedelta(days=6))
    assert newest_spend(lake) == [Decimal("1.25")]
    assert sorted(lake.vintages("insights_ad").whole().get_column("spend")) == [1, Decimal("1.25"), 2]


def test_an_empty_vintage_says_that_nothing_was_delivered(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    append(lake, [ad("1")])
    append(lake, [], fetched_at=MORNING + timedelta(hours=1))
    assert newest_spend(lake) == []
    assert lake.raw_days("meta", "insights_ad", account_id=ACCOUNT.id) == {DAY}


def test_of_two_contents_of_one_fetch_second_the_one_said_last_wins(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    first, second = append(lake, [ad("1")]), append(lake, [ad("2")])
    os.utime(first, ns=(1, 1))
    os.utime(second, ns=(2, 2))
    assert newest_spend(lake) == [2]
    append(lake, [ad("1")])  # said again, later
    assert newest_spend(lake) == [1]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    vintages=st.lists(
        st.tuples(
            st.integers(0, 2),  # report day
            st.integers(0, 50),  # hours until the fetch
            st.lists(st.decimals(0, 1000, places=2), max_size=3),
        ),
        min_size=1,
        max_size=8,
        unique_by=lambda vintage: vintage[:2],
    ),
    data=st.data(),
)
def test_the_order_of_writes_does_not_matter(
    vintages: list[tuple[int, int, list[Decimal]]], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    expected: dict[date, tuple[int, list[Decimal]]] = {}
    for offset, hours, spends in vintages:
        day = DAY + timedelta(days=offset)
        expected[day] = max(expected.get(day, (-1, [])), (hours, spends), key=lambda known: known[0])
    lake = Lake(tmp_path_factory.mktemp("lake"))
    for offset, hours, spends in data.draw(st.permutations(vintages + vintages)):
        day = DAY + timedelta(days=offset)
        rows = [ad(str(spend), ad_id=str(index), day=day) for index, spend in enumerate(spends)]
        append(lake, rows, fetched_at=MORNING + timedelta(hours=hours), day=day)
    assert sorted(newest_spend(lake)) == sorted(spend for _, spends in expected.values() for spend in spends)
    assert len(lake.raw_files("insights_ad")) == len(vintages)


def test_a_torn_file_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    torn = append(lake, [ad("1")])
    append(lake, [ad("2", day=DAY + timedelta(days=1))], day=DAY + timedelta(days=1))
    torn.write_bytes(torn.read_bytes()[:100])
    reading = lake.newest("insights_ad")
    assert reading.frame.get_column("spend").to_list() == [2]
    assert [bad.path for bad in reading.unreadable] == [torn]
    with pytest.raises(LakeError, match=r"20260602T060000Z.*torn"):
        lake.newest("insights_ad", platform="meta", since=DAY, until=DAY).whole()


def test_a_torn_newest_vintage_falls_back_to_the_one_before(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    append(lake, [ad("1")])
    torn = append(lake, [ad("2")], fetched_at=MORNING + timedelta(hours=1))
    torn.write_bytes(b"PAR1")
    assert lake.newest("insights_ad").frame.get_column("spend").to_list() == [1]
    append(lake, [ad("2")], fetched_at=MORNING + timedelta(hours=1))  # the same fetch again repairs it
    assert newest_spend(lake) == [2]


def test_damage_inside_a_file_is_found_when_it_is_read(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    good, bad = append(lake, [ad("1")]), append(lake, [ad("2")], fetched_at=MORNING + timedelta(hours=1))
    content = bytearray(bad.read_bytes())
    content[-200:-8] = bytes(192)  # the footer, its length left standing
    bad.write_bytes(content)
    reading = lake.vintages("insights_ad")
    assert reading.frame.get_column("spend").to_list() == [1]
    assert [unreadable.path for unreadable in reading.unreadable] == [bad]
    assert good.exists()


def test_what_a_killed_writer_left_is_not_read_and_is_swept(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    path = append(lake, [ad("1")])
    leftover = path.parent / ".writing-1-abc.tmp"
    leftover.write_bytes(b"PAR1 half a fi")
    assert newest_spend(lake) == [1]
    assert lake.sweep(before=datetime.now(UTC) - timedelta(hours=1)) == 0  # it may still be at work
    assert lake.sweep(before=datetime.now(UTC) + timedelta(seconds=1)) == 1
    assert not leftover.exists()


def test_rows_of_another_account_day_or_fetch_are_refused(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    frame = insight_rows_frame([ad("1")], account=ACCOUNT, level=Level.AD, platform="meta", fetched_at=MORNING)
    with pytest.raises(LakeError, match="date_day"):
        lake.append_raw(
            "meta", "insights_ad", day=date(2026, 6, 9), account_id=ACCOUNT.id, fetched_at=MORNING, frame=frame
        )
    with pytest.raises(LakeError, match="account_id"):
        lake.append_raw("meta", "insights_ad", day=DAY, account_id="other", fetched_at=MORNING, frame=frame)
    with pytest.raises(LakeError, match="lacks the columns"):
        lake.append_raw(
            "meta", "insights_ad", day=DAY, account_id=ACCOUNT.id, fetched_at=MORNING, frame=frame.drop("spend")
        )
    with pytest.raises(LakeError, match="time zone"):
        lake.append_raw(
            "meta", "insights_ad", day=DAY, account_id=ACCOUNT.id, fetched_at=MORNING.replace(tzinfo=None), frame=frame
        )  # fmt: skip
    with pytest.raises(LakeError, match="no dataset"):
        lake.append_raw("meta", "insight", day=DAY, account_id=ACCOUNT.id, fetched_at=MORNING, frame=frame)


def test_entities_are_the_newest_snapshot_of_each_account_as_of_a_day(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for offset, budget in ((0, "10"), (1, "20"), (5, "50")):
        now = MORNING + timedelta(days=offset)
        group = Entity(
            Level.AD_GROUP, "g", ACCOUNT.id, "c", "G", EntityStatus.ACTIVE, "ad set",
            budget=Budget(Money(Decimal(budget), "EUR"), BudgetPeriod.DAILY),
        )  # fmt: skip
        frame = entities_frame([group], account=ACCOUNT, platform="meta", fetched_at=now)
        lake.append_raw("meta", "entities", day=now.date(), account_id=ACCOUNT.id, fetched_at=now, frame=frame)
    assert lake.entities(as_of=date(2026, 6, 4)).whole().get_column("budget").to_list() == [20]
    assert lake.entities().whole().get_column("budget").to_list() == [50]
    assert lake.entities(as_of=date(2026, 5, 1)).whole().is_empty()


def test_an_asset_day_is_replaced_and_the_days_are_listed(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.write_asset("roas_estimates", DAY, pl.DataFrame({"arm_id": ["a"], "roas": [1.0]}))
    lake.write_asset("roas_estimates", DAY, pl.DataFrame({"arm_id": ["a"], "roas": [2.0]}))
    lake.write_asset("roas_estimates", DAY + timedelta(days=1), pl.DataFrame({"arm_id": ["b"], "roas": [3.0]}))
    assert lake.read_asset("roas_estimates", DAY).get_column("roas").to_list() == [2.0]
    assert lake.asset_days("roas_estimates") == [DAY, DAY + timedelta(days=1)]
    with pytest.raises(LakeError, match="materialize that day first"):
        lake.read_asset("roas_estimates", date(2020, 1, 1))


def test_nothing_written_yet_reads_as_no_rows_with_the_right_columns(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    frame = lake.newest("insights_ad", platform="tiktok", since=DAY, until=DAY).whole()
    assert frame.is_empty()
    assert frame.schema["spend"] == pl.Decimal(18, 6)
    assert lake.platforms() == []
