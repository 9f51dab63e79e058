"""The words every room shares: levels, statuses, states, autonomy. Values are what files and databases hold."""

from enum import StrEnum


class Level(StrEnum):
    """Unified levels, from wide to narrow (design §5)."""

    ACCOUNT = "account"
    CAMPAIGN = "campaign"
    AD_GROUP = "ad_group"
    AD = "ad"
    CREATIVE = "creative"


class EntityStatus(StrEnum):
    """What the owner asked for, not what delivery makes of it."""

    ACTIVE = "active"
    PAUSED = "paused"
    ARCHIVED = "archived"
    DELETED = "deleted"


class ArmState(StrEnum):
    """How far an arm's estimate can be trusted. Only `ok` may grow."""

    OK = "ok"
    INSUFFICIENT = "insufficient"  # too few conversions or days to tell
    IMMATURE = "immature"  # most of what it earned is still to be reported
    STALE = "stale"  # its last report is too old to act on


class Binding(StrEnum):
    """The constraint that holds an arm's proposed budget where it is."""

    NONE = "none"  # interior: its marginal return equals the shadow price
    STEP_UP = "step_up"  # the largest raise allowed now
    STEP_DOWN = "step_down"  # the largest cut allowed now
    MINIMUM = "minimum"  # the platform's or policy's smallest budget, or the smallest viable one
    MAXIMUM = "maximum"  # policy's largest budget
    GROUP = "group"  # a bound on the sum of its group
    DAILY_CAP = "daily_cap"  # the cumulative 24 h cap of the entity or its account
    HELD = "held"  # a person, an experiment or learning holds it
    STATE = "state"  # insufficient, immature or stale: may not grow
    TOO_SMALL = "too_small"  # the best change is below the smallest worth publishing
    SWITCHED_OFF = "switched_off"  # at 0: on, it would need at least the smallest viable budget


class Autonomy(StrEnum):
    """How far an account's changes go without a person."""

    OBSERVE = "observe"  # plan and show; never write
    APPROVE = "approve"  # write what a person approved
    AUTONOMOUS = "autonomous"  # write within the guardrails
