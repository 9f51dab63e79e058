"""Who is executing a plan, and whether that process is still there.

The lock is the database's; a lease with heartbeats says it is alive. A process killed on this machine is seen as gone
at once, one on another machine when its lease runs out.
"""

import os
import socket
import uuid
from datetime import datetime
from pathlib import Path

from stakazo_pipelines.operations.tables import PlanRow


def new_executor() -> str:
    """`machine:process:token` of one execution in this process."""
    return f"{_machine()}:{os.getpid()}:{uuid.uuid4().hex}"


def abandoned(plan: PlanRow, wall: datetime) -> bool:
    """Whether an executing plan's holder is gone: its lease ran out, or its process on this machine ended."""
    if plan.executor is None or plan.lease_until is None or plan.lease_until <= wall:
        return True
    machine, process, _ = plan.executor.rsplit(":", 2)
    return machine == _machine() and not _runs(int(process))


def _machine() -> str:
    # Containers may share a host name; their process ids mean something only inside their own namespace.
    namespace = Path("/proc/self/ns/pid")
    inside = os.readlink(namespace) if namespace.exists() else ""  # noqa: PTH115  not a path but pid:[number]
    return f"{socket.gethostname()}{inside}"


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
