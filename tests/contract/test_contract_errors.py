"""Every way a platform says no, or says nothing, becomes the same class of the error tree on every platform."""

import dataclasses
import logging

import pytest

from stakazo_pipelines.errors import (
    AuthError,
    NotFoundError,
    PermissionDeniedError,
    PlatformError,
    RejectedError,
    ThrottledError,
    TransientError,
    UnknownOutcomeError,
)
from stakazo_pipelines.money import Money
from stakazo_pipelines.platforms.port import Budget, BudgetPeriod, EntityChange, InsightsQuery
from stakazo_pipelines.vocabulary import Level

# What stays wrong with a read, and the class that it ends in.
STAYING = {
    "throttle": ThrottledError,
    "server_error": TransientError,
    "expired_token": AuthError,
    "permission_lost": PermissionDeniedError,
    "truncated_json": TransientError,
    "timeout": TransientError,
    "response_lost": TransientError,
}
# What leaves a write's outcome unknown; it is sent once and read back by whoever asked.
UNKNOWN = ("server_error", "truncated_json", "response_lost")
# What says that a write was not made.
NOT_MADE = {"expired_token": AuthError, "permission_lost": PermissionDeniedError, "throttle": ThrottledError}


def options(kind):
    return {"seconds": 0} if kind == "timeout" else {}


def change_of(group):
    more = Budget(Money(group.budget.money.amount + 7, group.budget.money.currency), group.budget.period)
    return EntityChange(Level.AD_GROUP, group.id, group.account_id, budget=more)


@pytest.mark.parametrize("kind", STAYING)
def test_a_read_that_stays_wrong_ends_in_its_class(bench, kind):
    bench.fault(kind, bench.subject.reports, **options(kind))
    with pytest.raises(STAYING[kind]) as told:
        bench.insights()
    assert type(told.value) is STAYING[kind]
    assert told.value.platform == bench.subject.name
    assert told.value.__cause__ is None


@pytest.mark.parametrize("kind", STAYING)
def test_a_list_that_stays_wrong_ends_in_its_class(bench, kind):
    bench.fault(kind, bench.subject.campaigns, **options(kind))
    with pytest.raises(STAYING[kind]):
        bench.entities(Level.CAMPAIGN)


@pytest.mark.parametrize("kind", UNKNOWN)
def test_a_write_whose_answer_is_lost_is_sent_once_and_unknown(bench, kind):
    group = bench.holder()
    bench.fault(kind, method="POST")
    outcome = bench.outcome(change_of(group))
    assert type(outcome.error) is UnknownOutcomeError
    assert sum(write.id == group.id for write in bench.writes) <= 1


@pytest.mark.parametrize("kind", NOT_MADE)
def test_a_write_that_was_refused_at_the_door_is_not_made(bench, kind):
    group = bench.holder()
    bench.fault(kind, method="POST")
    assert type(bench.outcome(change_of(group)).error) is NOT_MADE[kind]
    assert bench.writes == []


def test_a_wrong_token_is_an_auth_error_at_once(bench, caplog):
    wrong = "EAAwrongTOKEN000000000"
    with caplog.at_level(logging.DEBUG), pytest.raises(AuthError) as told:
        bench.run(lambda platform, account: platform.entities(account, Level.AD), token=wrong)
    assert wrong not in caplog.text + str(told.value) + repr(told.value)
    assert bench.slept == []


@pytest.mark.parametrize("use", ["list", "read", "report", "write", "create", "delete"])
def test_a_wrong_account_id_is_not_found_or_not_permitted(bench, use):
    async def act(platform, account):
        wrong = dataclasses.replace(account, id="1999999999")
        draft = bench.draft(account, Level.CAMPAIGN, wrong.id, {})
        match use:
            case "list":
                await platform.entities(wrong, Level.CAMPAIGN)
            case "read":
                await platform.read(wrong, Level.CAMPAIGN, "1999999998")
            case "report":
                await platform.insights(InsightsQuery(wrong, Level.AD, bench.since, bench.until))
            case "write":
                change = EntityChange(Level.CAMPAIGN, "1999999998", wrong.id, name="n")
                (outcome,) = await platform.update(wrong, [change])
                raise outcome.error
            case "create":
                await platform.create(wrong, dataclasses.replace(draft, account_id=wrong.id))
            case "delete":  # deleting what is not there is no error
                await platform.delete(wrong, Level.CAMPAIGN, "1999999998")
                raise NotFoundError("quiet")

    with pytest.raises(PlatformError) as told:
        bench.run(act)
    assert type(told.value) in (NotFoundError, PermissionDeniedError)
    assert bench.slept == []
    assert bench.writes == []


def test_an_invalid_parameter_is_rejected_and_not_repeated(bench):
    async def use(platform, account):
        draft = bench.draft(account, Level.CAMPAIGN, account.id, {}, objective="NO_SUCH_OBJECTIVE")
        await platform.create(account, draft)

    with pytest.raises(RejectedError) as told:
        bench.run(use)
    assert told.value.code
    assert bench.slept == []
    assert bench.writes == []


def test_a_budget_below_the_floor_is_rejected_with_the_platforms_words(bench):
    group = bench.holder()
    penny = Budget(Money(group.budget.money.amount / 10**6, group.budget.money.currency), BudgetPeriod.DAILY)
    change = EntityChange(Level.AD_GROUP, group.id, group.account_id, budget=penny)
    assert type(bench.outcome(change).error) is RejectedError
    assert bench.writes == []


@pytest.mark.parametrize("method", ["entities", "insights", "update", "create", "upload", "delete", "read"])
def test_an_account_with_a_problem_is_refused_and_the_others_are_not(bench, method):
    async def use(platform, account):
        odd = dataclasses.replace(account, problem="unknown currency 'XAU'")
        draft = bench.draft(account, Level.CAMPAIGN, account.id, {})
        calls = {
            "entities": lambda: platform.entities(odd, Level.AD),
            "insights": lambda: platform.insights(InsightsQuery(odd, Level.AD, bench.since, bench.until)),
            "update": lambda: platform.update(odd, []),
            "create": lambda: platform.create(odd, draft),
            "upload": lambda: platform.upload(odd, None),
            "delete": lambda: platform.delete(odd, Level.AD, "1"),
            "read": lambda: platform.read(odd, Level.AD, "1"),
        }
        bench.kernel.requests.clear()
        with pytest.raises(RejectedError, match="XAU"):
            await calls[method]()
        assert bench.requests == []
        return await platform.entities(account, Level.AD)

    assert bench.run(use).entities


@pytest.mark.parametrize("what", ["currency", "zone"])
def test_an_account_nobody_can_work_on_says_why_and_leaves_the_others_alone(bench, what):
    field, value = {"currency": ("currency", "XAU"), "zone": (bench.subject.zone, "Mars/Olympus")}[what]
    if not field:
        pytest.skip("this platform's report days are UTC whatever the account")

    async def use(platform, _account):
        bench.fault("malformed_row", bench.subject.accounts, field=field, value=value, times=1)
        found = await platform.accounts()
        (odd,) = (account for account in found if account.problem)
        fine = next(account for account in found if not account.problem)
        assert value in odd.problem
        bench.kernel.requests.clear()
        with pytest.raises(RejectedError, match=value):
            await platform.entities(odd, Level.CAMPAIGN)
        assert bench.requests == []
        return await platform.insights(InsightsQuery(fine, Level.ACCOUNT, bench.since, bench.until))

    assert len(bench.run(use).rows) == 7
