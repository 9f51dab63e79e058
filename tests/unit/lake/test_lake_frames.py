"""The port's objects become rows of the lake without losing a digit, a None or the payload."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from stakazo_pipelines.errors import LakeError
from stakazo_pipelines.lake import RAW_INSIGHTS_SCHEMA, insight_rows_frame, quarantine_frame
from stakazo_pipelines.platforms.port import Account, Breakdown, InsightRow, Quarantined
from stakazo_pipelines.vocabulary import EntityStatus, Level

ACCOUNT = Account("7", "Shop", "JPY", "Asia/Tokyo", 1, EntityStatus.ACTIVE)
NOW = datetime(2026, 6, 2, 6, 30, 15, 999, tzinfo=UTC)
ROW = InsightRow(
    date(2026, 6, 1), Level.AD, "7", "c", "g", "a", None, None, None, 10, 0, Decimal("0.000001"), Decimal("0.5"),
    Decimal("123456789012.123456"), "1d_click", native={"b": Decimal("1.10"), "a": [1, "ş"]},
)  # fmt: skip


def test_amounts_keep_six_decimals_and_what_was_not_reported_stays_null() -> None:
    frame = insight_rows_frame([ROW], account=ACCOUNT, level=Level.AD, platform="meta", fetched_at=NOW)
    [row] = frame.to_dicts()
    assert dict(frame.schema) == dict(RAW_INSIGHTS_SCHEMA)
    assert (row["spend"], row["conversions_value"]) == (Decimal("0.000001"), Decimal("123456789012.123456"))
    assert (row["clicks"], row["reach"], row["campaign_name"]) == (0, None, None)
    assert (row["currency"], row["timezone"]) == ("JPY", "Asia/Tokyo")
    assert row["fetched_at"] == NOW.replace(microsecond=0)  # as the file's name says it
    assert json.loads(row["native"]) == {"a": [1, "ş"], "b": "1.10"}


@pytest.mark.parametrize("row", [replace(ROW, segments={Breakdown.AGE: "18-24"}), replace(ROW, level=Level.CAMPAIGN)])
def test_breakdown_rows_and_rows_of_another_level_would_count_twice_and_are_refused(row: InsightRow) -> None:
    with pytest.raises(LakeError, match="does not belong"):
        insight_rows_frame([row], account=ACCOUNT, level=Level.AD, platform="meta", fetched_at=NOW)


def test_a_rejected_row_keeps_its_reason_and_its_payload_even_when_it_is_no_mapping() -> None:
    rejected = Quarantined(reason="not JSON", field="row", native="<html>", where="page 2")
    [row] = quarantine_frame([rejected], account=ACCOUNT, platform="meta", fetched_at=NOW).to_dicts()
    assert (row["reason"], row["where"], row["native"]) == ("not JSON", "page 2", '"<html>"')
