"""Meta (Facebook, Instagram) by its Marketing API v26.0, behind the `AdPlatform` port.

Facts: the fact sheet that the project keeps of the API. Nothing of Meta's wire format leaves this room but `native`.
"""

from stakazo_pipelines.platforms.meta.platform import MetaAdPlatform

__all__ = ["MetaAdPlatform"]
