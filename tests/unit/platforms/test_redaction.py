"""Tokens reach no log line, message, repr or traceback."""

import asyncio
import io
import logging
import pickle
import traceback

import httpx
import pytest

from stakazo_pipelines.errors import AuthError, PlatformError
from stakazo_pipelines.platforms.http.redact import Redactor
from stakazo_pipelines.platforms.meta import MetaAdPlatform

TOKEN = "EAAtestTOKENvalue0123456789"


def test_what_looks_like_a_token_is_starred():
    clean = Redactor()
    assert clean("GET https://h/x?access_token=abc&limit=5 failed") == "GET https://h/x failed"
    assert clean("access_token=abc&x=1") == "access_token=***&x=1"
    assert clean('{"access_token": "abc"}') == '{"access_token": "***"}'
    assert clean("Authorization: Bearer abc.def") == "Authorization: Bearer ***"
    assert clean("Malformed access token EAAabc123DEF456") == "Malformed access token ***"
    assert Redactor(["s3cret-value"])("it was s3cret-value!") == "it was ***!"
    assert "s3cret" not in repr(Redactor(["s3cret-value"]))


def test_ordinary_words_stay():
    text = "Error validating access token: Session has expired"
    assert Redactor()(text) == text


def answers(request: httpx.Request) -> httpx.Response:
    page = {
        "data": [{"account_id": "1", "currency": "EUR", "timezone_name": "Europe/Berlin"}],
        "paging": {
            "cursors": {"after": "abc"},
            "next": f"https://graph.example/v26.0/me/adaccounts?access_token={TOKEN}&after=abc",
        },
    }
    if "after" not in request.url.params:
        return httpx.Response(200, json=page)
    error = {"message": f"Malformed access token {TOKEN}", "code": 190, "type": "OAuthException"}
    return httpx.Response(400, json={"error": error})


def lost(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadError(f"reset while reading {request.url}?access_token={TOKEN}", request=request)


def everything(error: BaseException) -> str:
    out = io.StringIO()
    seen: BaseException | None = error
    while seen is not None:
        out.write(f"{seen!s} {seen!r} {seen.args!r}\n")
        traceback.TracebackException.from_exception(seen, capture_locals=True).print(file=out)
        seen = seen.__cause__ or seen.__context__
    return out.getvalue()


@pytest.mark.parametrize("handler", [answers, lost])
def test_the_token_is_nowhere_to_be_read(handler, meta, caplog):
    with caplog.at_level(logging.DEBUG), pytest.raises(PlatformError) as caught:
        meta.run(handler, lambda platform: platform.accounts())
    written = caplog.text + "".join(repr(vars(record)) for record in caplog.records)
    assert caplog.records
    assert TOKEN not in written
    assert "after=abc" not in written
    # The frames below the platform are this test's own and httpx's; what matters is what the error itself says.
    assert TOKEN not in f"{caught.value!s} {caught.value!r} {caught.value.args!r}"
    assert TOKEN not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_even_local_variables_of_a_traceback_do_not_show_it(clock):
    async def main() -> None:
        platform = MetaAdPlatform(
            base_url="https://graph.example",
            token=TOKEN,
            transport=httpx.MockTransport(lambda _: httpx.Response(400, json={"error": {"message": "x", "code": 190}})),
            sleep=clock.sleep,
            monotonic=clock,
        )
        await platform.accounts()

    with pytest.raises(AuthError) as caught:
        asyncio.run(main())
    assert TOKEN not in everything(caught.value)


def test_the_platform_does_not_show_it():
    platform = MetaAdPlatform(base_url="https://graph.example", token=TOKEN)
    assert TOKEN not in repr(platform) + repr(vars(platform)) + repr(vars(platform._client))
    with pytest.raises((TypeError, AttributeError)):
        pickle.dumps(platform)
