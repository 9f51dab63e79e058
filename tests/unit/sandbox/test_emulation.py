"""The shared parts of the emulators, driven by a platform that is nothing but them."""

import asyncio
import copy
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from stakazo_pipelines.sandbox.emulation import (
    FrontDesk,
    Reply,
    carry_out,
    server_error,
    spoil,
    turned_page,
    unmade_id,
    write_fate,
)
from stakazo_pipelines.sandbox.faults import Hit
from stakazo_pipelines.sandbox.kernel import Kernel
from stakazo_pipelines.sandbox.wire import ConnectionDroppedError
from stakazo_pipelines.sandbox.world import World


def drawing(stage: str, *kinds: str, **options: Any) -> Callable[[str], Sequence[Hit]]:
    """Faults of these kinds at one stage, none at the others."""
    hits = [Hit(kind, options, random.Random(1)) for kind in kinds]  # noqa: S311 - repeatable on purpose
    return lambda asked: hits if asked == stage else ()


@dataclass
class Shop:
    """A platform whose only call answers with what it did."""

    kernel: Kernel
    name: str = "shop"
    acts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.desk = FrontDesk(self.kernel, self.name, lambda _scope: False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        path = request.url.path

        def act(_draw: object) -> Reply:
            self.acts.append(path)
            return Reply({"done": len(self.acts)}, 201, {"x-shop": "open"})

        app = await self.desk.answer(
            method=request.method,
            path=path,
            shape="/{id}",
            act=act,
            misfortune=lambda hit: server_error(hit) or Reply({"sorry": hit.kind}, 418),
        )
        await app(scope, receive, send)

    def call(self) -> httpx.Response:
        async def send() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(self), base_url="http://sandbox.test", trust_env=False
            ) as client:
                return await client.post("/17")

        return asyncio.run(send())


@pytest.fixture
def kernel(grown_world: World) -> Kernel:
    return Kernel(copy.deepcopy(grown_world))


@pytest.fixture
def shop(kernel: Kernel) -> Shop:
    return Shop(kernel)


def test_a_request_is_counted_and_answered_as_the_platform_replies(shop: Shop) -> None:
    response = shop.call()
    assert (response.status_code, response.json(), response.headers["x-shop"]) == (201, {"done": 1}, "open")
    assert response.headers["content-type"] == "application/json"
    assert shop.kernel.requests.counts == {"shop POST /{id}": 1}
    assert shop.kernel.requests.platforms == {"shop": 1}


@pytest.mark.parametrize("kind", ["throttle", "server_error", "expired_token", "permission_lost"])
def test_a_misfortune_answers_in_place_of_the_act(shop: Shop, kind: str) -> None:
    shop.kernel.faults.add({"kind": kind, "platform": "shop", "times": 1})
    assert shop.call().json() == {"sorry": kind}
    assert shop.acts == []
    assert shop.call().status_code == 201


def test_a_broken_gateway_answers_with_a_page(shop: Shop) -> None:
    shop.kernel.faults.add({"kind": "server_error", "body": "html", "status": 502})
    response = shop.call()
    assert (response.status_code, response.text[:6]) == (502, "<html>")
    assert response.headers["content-type"].startswith("text/html")


def test_a_lost_response_was_acted_on_and_a_timeout_was_not(shop: Shop) -> None:
    for kind, acts in (("timeout", 0), ("response_lost", 1)):
        shop.kernel.faults.add({"kind": kind, "seconds": 0, "times": 1})
        with pytest.raises(ConnectionDroppedError):
            shop.call()
        assert len(shop.acts) == acts


def test_a_truncated_body_ends_early(shop: Shop) -> None:
    shop.kernel.faults.add({"kind": "truncated_json", "share": 0.5})
    with pytest.raises(json.JSONDecodeError):
        shop.call().json()


def test_a_fault_without_a_platform_hits_every_platform(kernel: Kernel) -> None:
    rule = kernel.faults.add({"kind": "throttle", "times": 2})
    assert rule.describe()["platform"] is None
    assert [shop.call().status_code for shop in (Shop(kernel, "one"), Shop(kernel, "two"))] == [418, 418]


def test_a_fault_of_a_platform_spares_the_others(kernel: Kernel) -> None:
    kernel.faults.add({"kind": "throttle", "platform": "one"})
    assert [shop.call().status_code for shop in (Shop(kernel, "one"), Shop(kernel, "two"))] == [418, 201]


def test_list_faults_spoil_rows_in_place() -> None:
    def spoiled(kind: str, **options: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = [{"cost": 1}, {"cost": 2}]
        spoil(rows, drawing("list", kind, **options), "cost")
        return rows

    assert [row["cost"] for row in spoiled("malformed_row")].count("not-a-number") == 1
    assert spoiled("missing_field") == [{}, {}]
    assert spoiled("retyped_field") == [{"cost": {"value": 1}}, {"cost": {"value": 2}}]
    assert all("brand_new_field" in row for row in spoiled("new_field"))
    assert spoiled("missing_field", field="other") == [{"cost": 1}, {"cost": 2}]


def test_an_empty_answer_uses_no_fault_up() -> None:
    def never(_stage: str) -> Sequence[Hit]:
        raise AssertionError("asked for faults of an answer without rows")

    spoil([], never, "cost")


def test_a_turned_page_is_the_one_before_or_the_one_after() -> None:
    twice, never = drawing("paged", "duplicated_page"), drawing("paged", "missing_page")
    assert turned_page(twice, 20, 10, 35) == 10
    assert turned_page(never, 20, 10, 35) == 30
    assert turned_page(never, 30, 10, 35) == 35
    assert turned_page(never, 0, 10, 35) == turned_page(twice, 0, 10, 35) == 0
    assert turned_page(drawing("list", "new_field"), 20, 10, 35) == 20


def test_a_write_happens_now_later_or_never(kernel: Kernel) -> None:
    group = next(iter(kernel.world.ad_groups.values()))

    def attempt(name: str, draw: Callable[[str], Sequence[Hit]]) -> bool:
        fate = write_fate(draw, update=True)
        if not fate.refused:
            carry_out(kernel, fate, "ad_group", group.id, {"name": name})
        return not fate.refused

    assert attempt("now", drawing("paged"))
    assert group.name == "now"
    assert not attempt("refused", drawing("write", "write_refused"))
    assert attempt("lost", drawing("write", "write_lost"))
    assert attempt("late", drawing("update", "write_delayed", requests=1))
    assert group.name == "now"
    kernel.tick()
    kernel.tick()
    assert group.name == "late"


def test_an_unmade_id_belongs_to_nothing(kernel: Kernel) -> None:
    world = kernel.world
    made = unmade_id(kernel)
    assert not any(made in store for store in (world.campaigns, world.ad_groups, world.ads, world.creatives))
    assert len(made) == len(next(iter(world.ads)))
