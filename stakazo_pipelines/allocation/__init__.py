"""Allocation: where the next unit of money earns most, within guardrails. Pure: numbers in, numbers and reasons out."""
