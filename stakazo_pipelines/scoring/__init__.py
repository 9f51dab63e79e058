"""How published intervals did against what later came true: predictive draws, coverage, CRPS, bias, collapse.

Pure functions on arrays and frames (no I/O, no clock, no global random state). A published interval is of the expected
ROAS; what comes true also has the luck of a few conversions, so every score is of posterior plus sampling noise.
"""
