"""The Meta Graph API (Marketing API v26.0) as an emulator on top of the simulated world."""

from stakazo_pipelines.sandbox.meta.emulator import MetaEmulator, MetaOptions

__all__ = ["MetaEmulator", "MetaOptions"]
