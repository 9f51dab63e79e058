"""Limits that no header tells: calls spread out before the server has to refuse them."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from stakazo_pipelines.platforms.http import ApiRequest, Limiter, Rate

RATES = (Rate(3, 1.0), Rate(5, 10.0))


class PerPath:
    def limits(self, request):
        return request.path, RATES if request.path != "free" else ()


class Clock:
    """Sleeping moves it; nothing else does."""

    def __init__(self):
        self.now = 0.0

    async def sleep(self, seconds):
        self.now += seconds

    def __call__(self):
        return self.now


def instants(gaps, path="a"):
    """When each call went out, calls being made one after the other with pauses between them."""
    clock = Clock()
    limiter = Limiter(PerPath(), sleep=clock.sleep, monotonic=clock)

    async def main():
        went = []
        for gap in gaps:
            clock.now += gap
            await limiter.admit(ApiRequest("GET", path))
            went.append(clock.now)
        return went

    return asyncio.run(main())


@given(st.lists(st.floats(0, 4), max_size=30))
def test_no_window_ever_holds_more_calls_than_its_rate(gaps):
    went = instants(gaps)
    for rate in RATES:
        for first, last in zip(went, went[rate.calls :], strict=False):
            assert last - first >= rate.seconds - 1e-9


def test_what_fits_is_not_held_up():
    assert instants([0, 0, 0, 9, 0]) == [0, 0, 0, 9, 9]
    assert instants([0] * 20, path="free") == [0] * 20


def test_calls_that_come_together_go_out_one_after_the_other():
    clock, slept = Clock(), []

    async def sleep(seconds):
        slept.append(seconds)

    limiter = Limiter(PerPath(), sleep=sleep, monotonic=clock)

    async def main():
        await asyncio.gather(*(limiter.admit(ApiRequest("GET", "a")) for _ in range(7)))

    asyncio.run(main())
    assert slept == [1.0, 1.0, 10.0, 10.0]


def test_a_suspended_counter_is_left_alone_and_others_go_on():
    clock = Clock()
    limiter = Limiter(PerPath(), sleep=clock.sleep, monotonic=clock)

    async def main():
        limiter.close(ApiRequest("GET", "a"), 300.0)
        await limiter.admit(ApiRequest("GET", "b"))
        assert clock.now == 0
        await limiter.admit(ApiRequest("GET", "a"))
        assert clock.now == 300

    asyncio.run(main())
