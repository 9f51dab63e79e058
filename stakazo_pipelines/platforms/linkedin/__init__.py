"""LinkedIn by its Marketing API 202607, behind the `AdPlatform` port.

Facts: the fact sheet that the project keeps of the API. None of LinkedIn's wire format leaves this room but `native`.
"""

from stakazo_pipelines.platforms.linkedin.platform import LinkedInAdPlatform

__all__ = ["LinkedInAdPlatform"]
