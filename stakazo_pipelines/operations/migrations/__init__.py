"""Alembic environment, shipped in the package so that an installed copy can migrate its own database."""
