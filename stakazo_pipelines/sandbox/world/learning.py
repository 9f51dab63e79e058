"""The learning phase: an ad group learns until 50 conversions within 7 days of its last significant edit."""

from datetime import datetime, timedelta

import numpy as np

from stakazo_pipelines.sandbox.world.account import AccountWorld
from stakazo_pipelines.sandbox.world.entities import AdGroup, Learning
from stakazo_pipelines.sandbox.world.report import visible

ENOUGH = 50
_PHASE = timedelta(days=7)


def learning(account: AccountWorld, group: AdGroup, now: datetime) -> Learning:
    """SUCCESS once there were enough conversions, FAIL (limited) when the week ended without them."""
    edit = group.last_significant_edit
    calendar = account.calendar
    first = max(calendar.index(calendar.local_date(edit)), 0)
    last = min(calendar.index(calendar.local_date(edit + _PHASE)), account.day) + 1
    row = int(np.flatnonzero(account.groups.id == int(group.id))[0])
    events = visible(account, first, max(last, first))
    count = int((account.ads.group[events.ad] == row).sum())
    status = "SUCCESS" if count >= ENOUGH else "FAIL" if now - edit > _PHASE else "LEARNING"
    return Learning(status, count, edit)
