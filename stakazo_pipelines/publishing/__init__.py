"""Publishing is reconciliation: plan, digest, approval, write, read back, journal, undo.

`plan.build_plan` makes a plan, `publisher.Publisher` carries it out; a crash at any point, re-run, writes each once.
"""
