"""Platforms x faults: what becomes of a report, a list, a change and a create under each kind of fault.

One table a platform. A cell is what happens when the fault strikes once / when it stays; "-" is a fault that finds
nothing to strike. What each word asserts stands in `report`, `listing`, `change` and `create` below; an error's name
means that it is raised, or told as the outcome.
"""

import re

import pytest

from stakazo_pipelines.errors import PlatformError, UnknownOutcomeError
from stakazo_pipelines.money import Money
from stakazo_pipelines.platforms.port import Budget, EntityChange
from stakazo_pipelines.sandbox.faults import KINDS
from stakazo_pipelines.vocabulary import EntityStatus, Level

META = """
                 report                        list                          change                        create
throttle         waited / ThrottledError       waited / ThrottledError       waited / ThrottledError       waited / ThrottledError
server_error     retried / TransientError      retried / TransientError      unknown                       unknown
timeout          retried / TransientError      retried / TransientError      unknown                       unknown
slow_body        untouched                     untouched                     made                          made
truncated_json   retried / TransientError      retried / TransientError      unknown                       found
response_lost    retried / TransientError      retried / TransientError      unknown                       found
expired_token    AuthError                     AuthError                     AuthError                     AuthError
permission_lost  PermissionDeniedError         PermissionDeniedError         PermissionDeniedError         PermissionDeniedError
malformed_row    quarantined                   quarantined                   -                             -
missing_field    quarantined                   quarantined                   -                             -
retyped_field    quarantined                   quarantined                   -                             -
new_field        untouched                     untouched                     -                             -
duplicated_page  counted once                  counted once                  -                             -
missing_page     unreconciled                  short                         -                             -
partial_batch    -                             -                             retried / TransientError      -
async_failed     asked again / split           -                             -                             -
async_stuck      ReportFailedError             -                             -                             -
write_lost       -                             -                             unverified                    unverified
write_refused    -                             -                             RejectedError                 RejectedError
write_delayed    -                             -                             late                          -
"""  # noqa: E501
# A create that carries a request_id is repeated; TikTok carries it out once.
TIKTOK = """
                 report                           list                        change                      create
throttle         retried / ThrottledError         retried / ThrottledError    retried / ThrottledError    retried / ThrottledError
server_error     retried / TransientError         retried / TransientError    unknown                     retried / TransientError
timeout          retried / TransientError         retried / TransientError    unknown                     retried / TransientError
slow_body        untouched                        untouched                   made                        made
truncated_json   retried / TransientError         retried / TransientError    unknown                     found / TransientError
response_lost    retried / TransientError         retried / TransientError    unknown                     found / TransientError
expired_token    AuthError                        AuthError                   AuthError                   AuthError
permission_lost  PermissionDeniedError            PermissionDeniedError       PermissionDeniedError       PermissionDeniedError
malformed_row    quarantined                      quarantined                 -                           -
missing_field    quarantined                      quarantined                 -                           -
retyped_field    quarantined                      quarantined                 -                           -
new_field        untouched                        untouched                   -                           -
duplicated_page  retried / MalformedError         read again / MalformedError    -                        -
missing_page     retried / MalformedError         read again / MalformedError    -                        -
partial_batch    -                                -                           made                        -
async_failed     asked again / ReportFailedError  -                           -                           -
async_stuck      ReportFailedError                -                           -                           -
write_lost       -                                -                           unverified                  unverified
write_refused    -                                -                           RejectedError               RejectedError
write_delayed    -                                -                           late                        -
"""  # noqa: E501
# Its limits are by the day: but for reports', waiting for the end of one is left to the next run.
LINKEDIN = """
                 report                      list                        change                   create
throttle         waited / ThrottledError     ThrottledError              ThrottledError           ThrottledError
server_error     retried / TransientError    retried / TransientError    unknown                  unknown
timeout          retried / TransientError    retried / TransientError    unknown                  unknown
slow_body        untouched                   untouched                   made                     made
truncated_json   retried / TransientError    retried / TransientError    unknown                  found
response_lost    retried / TransientError    retried / TransientError    unknown                  found
expired_token    AuthError                   AuthError                   AuthError                AuthError
permission_lost  PermissionDeniedError       PermissionDeniedError       PermissionDeniedError    PermissionDeniedError
malformed_row    quarantined                 quarantined                 -                        -
missing_field    quarantined                 quarantined                 -                        -
retyped_field    quarantined                 quarantined                 -                        -
new_field        untouched                   untouched                   -                        -
duplicated_page  -                           MalformedError              -                        -
missing_page     -                           short                       -                        -
partial_batch    -                           -                           unknown                  -
async_failed     -                           -                           -                        -
async_stuck      -                           -                           -                        -
write_lost       -                           -                           unverified               unverified
write_refused    -                           -                           RejectedError            RejectedError
write_delayed    -                           -                           late                     -
"""
TABLES = {"meta": META, "tiktok": TIKTOK, "linkedin": LINKEDIN}
COLUMNS = ("report", "list", "change", "create")
READS = ("report", "list")
SHORT = 60.0  # seconds slept in all: above it a server's wait was heard, below it was the client's own


def table(text):
    """(kind, column) to the word for a fault that strikes once, and the word for one that stays where it differs."""
    cells = {}
    for line in text.strip().splitlines()[1:]:
        kind, *words = re.split(r" {2,}", line.strip())
        for column, word in zip(COLUMNS, words, strict=True):
            cells[kind, column] = word.split(" / ")
    return cells


def strike(bench, kind, column, times):
    """Set the fault on the calls of a column."""
    spoilt = {"rows": "one"}
    if column == "list":
        spoilt |= {"field": bench.subject.campaign_id, "value": {"not": "an id"}}
    more = {
        "throttle": {"retry_after_s": 120},
        "timeout": {"seconds": 0},
        "slow_body": {"seconds": 0.01},
        "malformed_row": spoilt,
        "missing_field": spoilt,
        "retyped_field": spoilt,
    }.get(kind, {})
    where = {"report": bench.subject.reports, "list": bench.subject.campaigns}.get(column, ".*")
    if KINDS[kind] == "async":
        where = ".*"
    method = None if column in READS else "POST"
    return bench.fault(kind, where, method=method, times=times, **more)


# What happened, in the words of the tables -------------------------------------------------------------------------


def report(bench):
    """The week's rows of ads."""
    whole, reports, requests = bench.unharmed(
        "report", lambda fine: (fine.insights(), fine.reports_made(), len(fine.requests))
    )
    try:
        found = bench.insights()
    except PlatformError as error:
        return type(error).__name__
    rows, wanted = bench.told(found.rows, 100), bench.told(whole.rows, 100)
    if rows == wanted and bench.reports_made():
        return "asked again" if bench.reports_made() == reports + 1 else "split"
    if rows == wanted:
        return _whole(bench, found.quarantined, requests)
    if any(wanted.get(key) != measures for key, measures in rows.items()):
        return "wrong"
    if found.quarantined:
        return "quarantined"
    totals = [bench.told(some, 100, lambda row: row.day) for some in (found.rows, bench.insights(Level.ACCOUNT).rows)]
    return "unreconciled" if totals[0] != totals[1] else "wrong"


def listing(bench):
    """The list of campaigns."""
    whole, requests = bench.unharmed("list", lambda fine: (fine.entities(Level.CAMPAIGN), len(fine.requests)))
    try:
        found = bench.run(lambda platform, account: platform.entities(account, Level.CAMPAIGN))
    except PlatformError as error:
        return type(error).__name__
    ids, wanted = [entity.id for entity in found.entities], [entity.id for entity in whole]
    if sorted(ids) == sorted(wanted):
        return _whole(bench, found.quarantined, requests)
    if len(set(ids)) < len(ids) or not set(ids) <= set(wanted):
        return "wrong"
    return "quarantined" if found.quarantined else "short"


def change(bench):
    """A new budget; for batches, the status of every ad group turned."""
    group = bench.holder()
    more = Budget(Money(group.budget.money.amount + 7, group.budget.money.currency), group.budget.period)
    changes = [EntityChange(Level.AD_GROUP, group.id, group.account_id, budget=more)]
    if bench.kind == "partial_batch":
        other = {EntityStatus.ACTIVE: EntityStatus.PAUSED, EntityStatus.PAUSED: EntityStatus.ACTIVE}
        groups = bench.entities(Level.AD_GROUP)
        changes = [EntityChange(Level.AD_GROUP, one.id, one.account_id, status=other[one.status]) for one in groups]
    outcomes = bench.run(lambda platform, account: platform.update(account, changes))
    slept = sum(bench.slept)
    errors = {type(outcome.error) for outcome in outcomes} - {type(None)}
    made = _shows(bench, changes)
    told = list(zip(made, outcomes, strict=True))
    repeated = len(bench.writes) > len({write.id for write in bench.writes})
    if repeated or len(errors) > 1:
        return "wrong"
    if errors == {UnknownOutcomeError}:
        return "unknown"
    if errors:
        return "wrong" if any(shown == bool(outcome.error) for shown, outcome in told) else errors.pop().__name__
    if not all(made):
        bench.heal()
        for _ in range(5):
            made = _shows(bench, changes)
        return "late" if all(made) else "unverified"
    return "made" if not slept else "waited" if slept >= SHORT else "retried"


def create(bench):
    """A campaign, and once more with the same tag after the fault is gone: never two."""
    stores = bench.world.campaigns
    before = len(stores)

    async def use(platform, account):
        return await platform.create(account, bench.draft(account, Level.CAMPAIGN, account.id, {}))

    async def listed(platform, account):
        return {entity.id for entity in (await platform.entities(account, Level.CAMPAIGN)).entities}

    made, word = "", ""
    try:
        made = bench.run(use)
    except UnknownOutcomeError:
        word = "unknown"
    except PlatformError as error:
        word = type(error).__name__
    slept, count = sum(bench.slept), len(stores) - before
    bench.heal()
    if made and made not in bench.run(listed):
        return "unverified" if not count else "wrong"
    again = bench.run(use)
    if len(stores) != before + 1 or (made and again != made):
        return "wrong"
    if word:
        return word
    if bench.lossy:
        return "found"
    return "made" if not slept else "waited" if slept >= SHORT else "retried"


def _shows(bench, changes):
    async def use(platform, account):
        return [await platform.read(account, change.level, change.id) for change in changes]

    wanted = zip(bench.run(use), changes, strict=True)
    return [
        (change.budget is None or entity.budget == change.budget)
        and (change.status is None or entity.status is change.status)
        for entity, change in wanted
    ]


def _whole(bench, quarantined, requests):
    """How everything came to be there: `requests` is how many it takes without a fault."""
    if bench.slept:
        return "waited" if sum(bench.slept) >= SHORT else "retried"
    if quarantined:
        return "counted once"
    return "read again" if len(bench.requests) > requests else "untouched"


ACTS = {"report": report, "list": listing, "change": change, "create": create}


@pytest.fixture(scope="module")
def fine():
    """What was read without a fault, read once."""
    return {}


@pytest.fixture
def struck(make_bench, subject, fine):
    """A bench with the fault set, and what is needed to see what became of it."""

    def kept(what, options, use):
        key = (subject.name, what, *options)
        if key not in fine:
            fine[key] = use(make_bench(**options))
        return fine[key]

    def make(kind, column, times):
        options = {}
        if KINDS[kind] == "async":
            options = dict(subject.small_day)
        elif KINDS[kind] == "paged":
            options = {"rows": 9 if column == "report" else 2}
        bench = make_bench(**options)
        bench.kind = kind
        bench.unharmed = lambda what, use: kept(what, options, use)
        bench.lossy = kind in ("truncated_json", "response_lost")
        bench.rule = strike(bench, kind, column, times)
        return bench

    return make


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("kind", KINDS)
def test_each_fault_has_its_outcome(struck, subject, kind, column):
    words = table(TABLES[subject.name])[kind, column]
    for times, wanted in zip((1, None), words, strict=False):
        bench = struck(kind, column, times)
        found = ACTS[column](bench)
        if wanted == "-":
            assert bench.rule.fired == 0
            assert found in ("untouched", "made")
        else:
            assert bench.rule.fired > 0
            assert found == wanted, f"{kind} on {column}, times {times}"


def test_every_platform_has_its_table_and_every_fault_its_row(all_subjects):
    assert {subject.name for subject in all_subjects} == set(TABLES)
    for text in TABLES.values():
        assert set(table(text)) == {(kind, column) for kind in KINDS for column in COLUMNS}
