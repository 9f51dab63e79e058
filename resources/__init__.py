"""Dagster resources: the outside world as the assets see it. Each only hands out an object of the domain."""

from resources.clock import ClockResource
from resources.lake import LakeResource
from resources.operations import OperationsResource
from resources.platforms import PlatformsResource
from resources.policy import PolicyResource

__all__ = ["ClockResource", "LakeResource", "OperationsResource", "PlatformsResource", "PolicyResource"]
