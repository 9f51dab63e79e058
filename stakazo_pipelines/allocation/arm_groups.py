"""Groups of an account's arms as policy names them: by ids of arms or of the campaigns that hold them."""

from collections.abc import Mapping, Sequence

import numpy as np

from stakazo_pipelines.allocation.problem import Groups
from stakazo_pipelines.errors import AllocationError
from stakazo_pipelines.policy import GroupPolicy


def arm_groups(groups: Mapping[str, GroupPolicy], arm_ids: Sequence[str], campaign_ids: Sequence[str]) -> Groups | None:
    """Groups in the policy's order, bounds in major units; None where policy names none.

    An arm lies in the innermost of the groups that name it or its campaign; a name that no arm has is passed over.
    Raises AllocationError for an arm that two groups name of which neither is within the other.
    """
    if not groups:
        return None
    names = tuple(groups)
    place = {name: at for at, name in enumerate(names)}
    parent = np.array([-1 if (outer := groups[name].within) is None else place[outer] for name in names])
    member = np.full(len(arm_ids), -1, dtype=np.int64)
    for at, name in sorted(enumerate(names), key=lambda named: -len(_around(named[0], parent))):
        entities = frozenset(groups[name].entities)
        for row, (arm, campaign) in enumerate(zip(arm_ids, campaign_ids, strict=True)):
            if arm not in entities and campaign not in entities:
                continue
            if member[row] < 0:
                member[row] = at
            elif at not in _around(int(member[row]), parent):
                raise AllocationError(
                    f"{arm} lies in group {names[member[row]]} and in group {name}, and neither is within the other: "
                    f"take it out of one, or say `within`"
                )
    upper = [np.inf if (most := groups[name].max) is None else float(most) for name in names]
    return Groups(member, np.array([float(groups[name].min) for name in names]), np.array(upper), names, parent)


def _around(at: int, parent: np.ndarray) -> list[int]:
    """The groups around one, from the inside out, itself among them."""
    found = [at]
    while parent[found[-1]] >= 0:
        found.append(int(parent[found[-1]]))
    return found
