"""Integrated reports, at once and as tasks."""
