"""From date presets and increments to the report windows of an answer, in the account's days."""

from dataclasses import dataclass
from datetime import date, timedelta

from stakazo_pipelines.sandbox.meta.errors import invalid, too_old

_MONTHS_KEPT = 37


@dataclass(frozen=True, slots=True)
class DayRange:
    """Both ends inclusive."""

    since: date
    until: date


def months_before(day: date, months: int) -> date:
    """The same day some months earlier (the month's last day where it is shorter)."""
    index = day.year * 12 + day.month - 1 - months
    year, month = divmod(index, 12)
    last = (date(year + (month == 11), (month + 1) % 12 + 1, 1) - timedelta(days=1)).day
    return date(year, month + 1, min(day.day, last))


def preset(name: str, today: date) -> DayRange:
    """The days a `date_preset` stands for. last_Nd ends yesterday. Raises code 100."""
    yesterday = today - timedelta(days=1)
    month_start = today.replace(day=1)
    monday = today - timedelta(days=today.weekday())
    sunday = today - timedelta(days=(today.weekday() + 1) % 7)
    quarter_start = date(today.year, 3 * ((today.month - 1) // 3) + 1, 1)
    fixed = {
        "today": DayRange(today, today),
        "yesterday": DayRange(yesterday, yesterday),
        "this_week_mon_today": DayRange(monday, today),
        "this_week_sun_today": DayRange(sunday, today),
        "last_week_mon_sun": DayRange(monday - timedelta(days=7), monday - timedelta(days=1)),
        "last_week_sun_sat": DayRange(sunday - timedelta(days=7), sunday - timedelta(days=1)),
        "this_month": DayRange(month_start, today),
        "last_month": DayRange(months_before(month_start, 1), month_start - timedelta(days=1)),
        "this_quarter": DayRange(quarter_start, today),
        "last_quarter": DayRange(months_before(quarter_start, 3), quarter_start - timedelta(days=1)),
        "this_year": DayRange(date(today.year, 1, 1), today),
        "last_year": DayRange(date(today.year - 1, 1, 1), date(today.year - 1, 12, 31)),
        "maximum": DayRange(months_before(today, _MONTHS_KEPT), today),
        "data_maximum": DayRange(months_before(today, _MONTHS_KEPT), today),
    }
    if name in fixed:
        return fixed[name]
    if name in ("last_3d", "last_7d", "last_14d", "last_28d", "last_30d", "last_90d"):
        return DayRange(today - timedelta(days=int(name[5:-1])), yesterday)
    raise invalid(
        f"date_preset must be one of the following values: {', '.join(sorted(fixed))}", field_name="date_preset"
    )


def explicit(value: object, today: date) -> DayRange:
    """A `time_range` object. Raises code 100, or 3018 when it starts before what is kept."""
    if not isinstance(value, dict) or not {"since", "until"} <= value.keys():
        raise invalid("Must be a dictionary with since and until", field_name="time_range")
    try:
        since, until = date.fromisoformat(str(value["since"])), date.fromisoformat(str(value["until"]))
    except ValueError as error:
        raise invalid("since and until must be dates as YYYY-MM-DD", field_name="time_range") from error
    if since > until:
        raise invalid("since must not be after until in time_range", field_name="time_range")
    if since < months_before(today, _MONTHS_KEPT):
        raise too_old()
    return DayRange(since, until)


def split(days: DayRange, increment: str) -> list[DayRange]:
    """The windows of a `time_increment`: all_days, monthly, or 1 to 90 days; the last one is cut at the end."""
    if increment == "all_days":
        return [days]
    if increment == "monthly":
        windows, start = [], days.since
        while start <= days.until:
            following = months_before(start.replace(day=1), -1)
            windows.append(DayRange(start, min(days.until, following - timedelta(days=1))))
            start = following
        return windows
    if not increment.isdigit() or not 1 <= int(increment) <= 90:
        raise invalid("time_increment must be all_days, monthly or a number from 1 to 90", field_name="time_increment")
    step = int(increment)
    count = -(-((days.until - days.since).days + 1) // step)
    starts = [days.since + timedelta(days=step * index) for index in range(count)]
    return [DayRange(start, min(days.until, start + timedelta(days=step - 1))) for start in starts]
