"""What each unit of money really earns: conversion maturity, response curves, ROAS posteriors.

Pure functions on frames and arrays (no I/O, no clock, no global random state). `maturity`, `population` and `estimate`
are the entrances; `population_pymc` is the same hierarchy by NUTS and the only module that needs PyMC (at call time).
"""
