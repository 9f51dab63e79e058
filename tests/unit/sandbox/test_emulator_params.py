"""Parameters and field expressions as the Graph API reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stakazo_pipelines.sandbox.meta.errors import GraphError
from stakazo_pipelines.sandbox.meta.fields import Field, parse_fields
from stakazo_pipelines.sandbox.meta.filtering import matches
from stakazo_pipelines.sandbox.meta.params import Params


@pytest.mark.parametrize("value", ['["a","b"]', "['a','b']", "a,b", "a, b", ["a", "b"]])
def test_lists_come_in_every_spelling(value: object) -> None:
    assert Params({"x": value}).names("x") == ["a", "b"]


@pytest.mark.parametrize(
    ("value", "meaning"), [("true", True), ("True", True), ("1", True), (True, True), ("false", False), ("0", False)]
)
def test_booleans_come_in_every_spelling(value: object, *, meaning: bool) -> None:
    assert Params({"x": value}).boolean("x") is meaning


@pytest.mark.parametrize("value", ["maybe", "2"])
def test_other_booleans_are_code_100(value: str) -> None:
    with pytest.raises(GraphError):
        Params({"x": value}).boolean("x")


def test_times_are_iso_or_unix_and_zero_is_open() -> None:
    params = Params({"iso": "2026-05-12T10:45:09-0700", "unix": "1778607909", "open": "0"})
    assert params.moment("iso") == params.moment("unix")
    assert params.moment("open") is None


@pytest.mark.parametrize("value", ["1.5", "ten", "1e3", True])
def test_budgets_are_whole_numbers(value: object) -> None:
    with pytest.raises(GraphError):
        Params({"x": value}).integer("x")


def test_fields_nest_and_carry_modifiers() -> None:
    assert parse_fields("id, adsets.limit(2).filtering([{f(x)}]){name},insights{}") == (
        Field("id"),
        Field("adsets", (Field("name"),), {"limit": "2", "filtering": "[{f(x)}]"}),
        Field("insights", ()),
    )


@pytest.mark.parametrize("text", ["a{b", "a}b", "a.limit(3", "a.limit", "$"])
def test_broken_field_expressions_are_code_2500(text: str) -> None:
    with pytest.raises(GraphError) as caught:
        parse_fields(text)
    assert caught.value.code == 2500


names = st.sampled_from(["id", "name", "adsets", "daily_budget", "x"])
trees = st.recursive(names, lambda inner: st.tuples(names, st.lists(inner, min_size=1, max_size=3)), max_leaves=8)


def written(tree: object) -> str:
    if isinstance(tree, tuple):
        return f"{tree[0]}{{{','.join(written(part) for part in tree[1])}}}"
    return str(tree)


def parsed(tree: object) -> Field:
    if isinstance(tree, tuple):
        return Field(tree[0], tuple(parsed(part) for part in tree[1]))
    return Field(str(tree))


@given(st.lists(trees, min_size=1, max_size=4))
def test_any_tree_of_fields_is_read_as_it_was_written(forest: list[object]) -> None:
    assert parse_fields(",".join(written(tree) for tree in forest)) == tuple(parsed(tree) for tree in forest)


def test_filters_that_do_not_fit_are_code_100() -> None:
    assert matches("IN", "a", ["a", "b"])
    assert matches("IN_RANGE", "5", [1, 9])
    for operator, value in (("IN", "a"), ("GREATER_THAN", "x"), ("LIKE", "a")):
        with pytest.raises(GraphError):
            matches(operator, "a", value)
