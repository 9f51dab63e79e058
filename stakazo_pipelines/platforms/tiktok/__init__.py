"""TikTok by its API for Business v1.3, behind the `AdPlatform` port.

Facts: the fact sheet that the project keeps of the API. Nothing of TikTok's wire format leaves this room but `native`.
"""

from stakazo_pipelines.platforms.tiktok.platform import TikTokAdPlatform

__all__ = ["TikTokAdPlatform"]
