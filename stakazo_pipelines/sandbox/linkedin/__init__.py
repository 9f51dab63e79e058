"""LinkedIn's Marketing API (versioned, /rest) as an emulator on top of the simulated world."""

from stakazo_pipelines.sandbox.linkedin.emulator import LinkedInEmulator
from stakazo_pipelines.sandbox.linkedin.options import LinkedInOptions

__all__ = ["LinkedInEmulator", "LinkedInOptions"]
