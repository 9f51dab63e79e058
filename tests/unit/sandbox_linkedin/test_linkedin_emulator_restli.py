"""Rest.li text read and written: structure before decoding, both protocol versions."""

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stakazo_pipelines.sandbox.linkedin.restli import (
    OldStyleError,
    RestliError,
    as_list,
    encode,
    read_query,
    read_value,
)

texts = st.text(st.sampled_from(string.printable + "é(),:'%"), min_size=1, max_size=12)
values = st.recursive(
    texts, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=8
)


@given(values)
def test_what_is_encoded_reads_back_the_same(value: Any) -> None:
    wrapped = {"inside": value}
    assert read_value(encode(wrapped)) == wrapped


def test_keys_come_in_any_order() -> None:
    one = read_query("a=(x:1,y:List((p:1),(q:2)))&b=2")
    other = read_query("b=2&a=(y:List((p:1),(q:2)),x:1)")
    assert one == other == {"a": {"x": "1", "y": [{"p": "1"}, {"q": "2"}]}, "b": "2"}


def test_values_are_decoded_after_the_structure_is_found() -> None:
    assert read_value("List(urn%3Ali%3Ageo%3A1,a%2Cb%29)") == ["urn:li:geo:1", "a,b)"]


def test_lists_and_records_may_be_empty() -> None:
    assert read_value("List()") == []
    assert read_value("()") == {}


@pytest.mark.parametrize(
    "raw",
    [
        "%28status%3A1%29",
        "List%28A%2CB%29",
        "(status%3AList(A))",
        "List(urn:li:geo:1)",
        "(a:List(1)",
        "List(1))",
        "(a)",
    ],
)
def test_encoded_or_unbalanced_structure_is_refused(raw: str) -> None:
    with pytest.raises(RestliError):
        read_value(raw)


@pytest.mark.parametrize("name", ["accounts[0]", "search.status.values[0]", "dateRange.start.day"])
def test_the_old_style_is_refused_in_a_2_0_request(name: str) -> None:
    with pytest.raises(OldStyleError):
        read_query(f"{name}=1")


def test_the_old_style_is_read_where_the_request_speaks_1_0() -> None:
    query = "accounts[1]=urn:li:x:2&accounts[0]=urn%3Ali%3Ax%3A1&dateRange.start.day=3&dateRange.start.year=2026"
    assert read_query(query, old=True) == {
        "accounts": ["urn:li:x:1", "urn:li:x:2"],
        "dateRange": {"start": {"day": "3", "year": "2026"}},
    }


def test_a_parameter_is_not_both_value_and_structure() -> None:
    with pytest.raises(RestliError):
        read_query("a=1&a.b=2", old=True)
    with pytest.raises(RestliError):
        read_query("a=1&a=2")


def test_fields_are_plain_text_with_commas() -> None:
    assert read_query("fields=id,name") == read_query("fields=id%2Cname") == {"fields": "id,name"}


def test_one_value_counts_as_a_list_of_one() -> None:
    assert (as_list(None), as_list("a"), as_list(["a"])) == ([], ["a"], ["a"])
