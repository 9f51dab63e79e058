"""Rest.li text: what is encoded reads back, structure stays raw, long queries travel in the body."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stakazo_pipelines.errors import NotFoundError
from stakazo_pipelines.platforms.linkedin import restli, urns
from stakazo_pipelines.platforms.wire import WireError

words = st.text("aZ09 é(),:%'&=+/_-.~\n", max_size=8)
values = st.recursive(
    words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)


def parse(text):
    """A Rest.li 2.0 reader of its own, by the protocol's grammar."""
    value, rest = _value(text)
    assert rest == "", rest
    return value


def _value(text):
    if text.startswith("List("):
        found, rest = [], text[5:]
        while not rest.startswith(")"):
            item, rest = _value(rest.removeprefix(","))
            found.append(item)
        return found, rest[1:]
    if text.startswith("("):
        found, rest = {}, text[1:]
        while not rest.startswith(")"):
            key, rest = _value(rest.removeprefix(","))
            assert rest.startswith(":")
            found[key], rest = _value(rest[1:])
        return found, rest[1:]
    end = next((i for i, letter in enumerate(text) if letter in "(),:"), len(text))
    word = text[:end]
    return "" if word == "''" else unquote(word), text[end:]


@given(values)
def test_whatever_is_encoded_reads_back(value):
    assert parse(restli.encode(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (["urn:li:geo:1", "b"], "List(urn%3Ali%3Ageo%3A1,b)"),
        ({"start": {"year": 2026, "month": 7}}, "(start:(year:2026,month:7))"),
        ({"test": False}, "(test:false)"),
        ("", "''"),
        ([], "List()"),
    ],
)
def test_values_are_written_as_the_protocol_says(value, text):
    assert restli.encode(value) == text


def test_fields_stand_between_raw_commas():
    request = restli.get("adAnalytics", {"q": "statistics"}, fields=["impressions", "clicks"])
    assert request.path == "adAnalytics?q=statistics&fields=impressions,clicks"
    assert request.headers["LinkedIn-Version"] == "202607"
    assert request.headers["X-Restli-Protocol-Version"] == "2.0.0"


def test_a_long_query_travels_as_the_form_of_a_post():
    many = [urns.urn(urns.CAMPAIGN, str(1_000_000 + i)) for i in range(150)]
    request = restli.get("adAnalytics", {"campaigns": many})
    assert (request.method, request.path) == ("POST", "adAnalytics")
    assert request.headers["X-HTTP-Method-Override"] == "GET"
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.content == f"campaigns={restli.encode(many)}".encode()
    assert request.repeatable


@pytest.mark.parametrize("value", ["12/../9", "urn:li:share:1", "", "\uff11\uff12", "a"])
def test_an_id_that_is_no_number_becomes_no_path(value):
    with pytest.raises(NotFoundError):
        urns.checked(value)


def test_a_urn_of_another_kind_is_not_taken_for_the_id():
    assert urns.number_of({"id": "urn:li:sponsoredCampaign:7"}, "id", urns.CAMPAIGN) == "7"
    with pytest.raises(WireError):
        urns.number_of({"id": "urn:li:sponsoredCampaignGroup:7"}, "id", urns.CAMPAIGN)
