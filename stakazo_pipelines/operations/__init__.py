"""What is decided, approved, done and observed: a transactional database, SQLite (WAL) or PostgreSQL.

It exists so that a crash at any point can be picked up again and every change can be explained and undone.
"""

from stakazo_pipelines.operations.database import Operations, UnitOfWork, open_operations
from stakazo_pipelines.operations.states import ActionStatus, PlanStatus

__all__ = ["ActionStatus", "Operations", "PlanStatus", "UnitOfWork", "open_operations"]
