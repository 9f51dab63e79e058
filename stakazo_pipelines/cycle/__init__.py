"""One day's decision, stage by stage, over the lake and the operations database: returns, budgets, changes.

The Dagster assets call these functions, and the terminal does too; nothing here knows Dagster.
"""
