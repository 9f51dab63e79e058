"""Stakazo: an autopilot for paid social advertising. The domain lives here; Dagster stands outside, in assets/."""
