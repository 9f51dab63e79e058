"""The file of lift tests: what is read, and how a wrong row is told."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stakazo_pipelines.errors import InputError
from stakazo_pipelines.lift_tests import OPTIONAL, REQUIRED, load_lift_tests, parse_lift_tests
from stakazo_pipelines.policy import load_policy

HEADER = "platform,account_id,start,end,metric,estimate,standard_error,low,high,confidence,attributed,note"
GOOD = "meta,act_1,2026-01-01,2026-01-14,roas,1.2,0.3,,,,,"
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "lift_tests.csv"


def parsed(*rows: str, header: str = HEADER):
    return parse_lift_tests("\n".join([header, *rows]), source="lift.csv")


def test_a_row_is_read_as_it_stands():
    found = parsed(GOOD)
    assert not found.aside
    (test,) = found.tests
    assert (test.row, dict(test.scope)) == (2, {"platform": "meta", "account_id": "act_1"})
    assert (test.start, test.end) == (date(2026, 1, 1), date(2026, 1, 14))
    assert (test.metric, test.estimate, test.error, test.attributed) == ("roas", 1.2, 0.3, None)
    assert str(test) == "platform meta, account act_1"


def test_an_interval_stands_for_its_standard_error():
    (test,) = parsed("meta,,2026-01-01,2026-01-14,roas,1.2,,0.2,2.2,0.95,,").tests
    assert test.error == pytest.approx(1.0 / 1.96, rel=1e-3)
    (test,) = parsed("meta,,2026-01-01,2026-01-14,roas,1.2,,0.2,2.2,,,").tests
    assert test.error == pytest.approx(1.0 / 1.645, rel=1e-3)


@pytest.mark.parametrize(
    ("row", "column", "why"),
    [
        ("meta,,2026-01-01,2026-01-14,roas,1.2,-0.3,,,,,", "standard_error", "above 0, not -0.3"),
        ("meta,,2026-01-01,2026-01-14,roas,1.2,0,,,,,", "standard_error", "no test is exact"),
        ("meta,,2026-01-01,2026-01-14,roas,1.2,,,,,,", "standard_error", "is empty"),
        ("meta,,2026-01-01,2026-01-14,roas,1.2,,1.5,2.0,,,", "low", "does not hold the estimate 1.2"),
        ("meta,,2026-01-01,2026-01-14,roas,1.2,,1.0,2.0,90,,", "confidence", "a fraction such as 0.9"),
        ("meta,,2026-01-01,2026-01-14,roas,much,0.3,,,,,", "estimate", "a number such as 0.85, not 'much'"),
        ("meta,,2026-01-01,2026-01-14,roas,nan,0.3,,,,,", "estimate", "not 'nan'"),
        ("meta,,2026-01-01,2026-01-14,roas,,0.3,,,,,", "estimate", "is empty"),
        ("meta,,2026-01-14,2026-01-01,roas,1.2,0.3,,,,,", "end", "before the start"),
        ("meta,,2024-01-01,2026-01-01,roas,1.2,0.3,,,,,", "end", "is a year wrong?"),
        ("meta,,01/02/2026,2026-01-14,roas,1.2,0.3,,,,,", "start", "a day such as 2026-01-31"),
        ("meta,,2026-01-01,2026-01-14,cpa,1.2,0.3,,,,,", "metric", "none of roas, value, conversions"),
        ("meta,,2026-01-01,2026-01-14,roas,1.2,0.3,,,,-1,", "attributed", "above 0"),
        ("meta,,2026-01-01,2026-01-14,roas,1.2,0.3,,,,,hold-out, half", "note", "quote a text"),
        (GOOD, "start", "the same test stands in row 2"),
        ("meta,,2026-01-01,2026-01-14", "metric", "'' is none of roas, value, conversions"),
    ],
)
def test_a_wrong_row_is_set_aside_with_its_place_and_the_rest_goes_on(row, column, why):
    found = parsed(GOOD, row, GOOD.replace("act_1", "act_2"))
    assert [test.row for test in found.tests] == [2, 4]
    (wrong,) = found.aside
    assert (wrong.row, wrong.column) == (3, column)
    assert why in wrong.reason


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ("start,end,metric", "lacks estimate"),
        ("start,end,metric,estimate,standart_error", "did you mean standard_error"),
        ("start,end,metric,estimate", "how exact is a test"),
        ("start,end,metric,estimate,standard_error,start", "stands more than once"),
        ("", "lacks start"),
    ],
)
def test_a_wrong_header_names_the_file_and_the_column(header, why):
    with pytest.raises(InputError, match=why) as raised:
        parsed(header=header)
    assert str(raised.value).startswith("lift.csv: row 1")


@settings(max_examples=30, deadline=None)
@given(cells=st.lists(st.text(max_size=12), max_size=len(REQUIRED) + len(OPTIONAL) + 2))
def test_no_row_brings_the_file_down(cells):
    row = ",".join(f'"{cell.replace(chr(34), "")}"' for cell in cells)
    found = parsed(GOOD, row)
    assert [test.row for test in found.tests] == [2]
    assert len(found.aside) <= 1 or "\n" in row


def test_no_file_named_is_no_tests_and_one_that_is_missing_is_said(tmp_path):
    assert load_lift_tests(None).tests == ()
    with pytest.raises(InputError, match="cannot be read"):
        load_lift_tests(tmp_path / "none.csv")


def test_the_policys_file_is_found_from_the_policys_folder(tmp_path):
    (tmp_path / "policy.yaml").write_text("lift_tests: tests.csv\n")
    (tmp_path / "tests.csv").write_text(f"{HEADER}\n{GOOD}\n")
    assert len(load_lift_tests(load_policy(tmp_path / "policy.yaml").lift_tests).tests) == 1


def test_the_example_is_a_good_file():
    found = load_lift_tests(EXAMPLE)
    assert found.tests
    assert not found.aside
