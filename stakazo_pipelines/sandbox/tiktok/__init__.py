"""TikTok API for Business v1.3 over the simulated world: entities, files, reports, limits and faults."""

from stakazo_pipelines.sandbox.tiktok.emulator import TikTokEmulator
from stakazo_pipelines.sandbox.tiktok.options import Limit, TikTokOptions

__all__ = ["Limit", "TikTokEmulator", "TikTokOptions"]
