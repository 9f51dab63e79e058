"""What the terminal opens from the environment."""

import asyncio

import pytest

from stakazo_pipelines.errors import ConfigError
from stakazo_pipelines.runtime import Runtime
from stakazo_pipelines.settings import Settings


def test_a_platform_that_policy_leaves_out_is_not_opened(tmp_path):
    policy = tmp_path / "policy.yaml"
    policy.write_text("platforms: [tiktok]\n")
    runtime = Runtime(Settings(policy_file=policy, sandbox_url="http://127.0.0.1:1"))

    async def touch() -> None:
        async with runtime.platform("meta"):
            pass

    with pytest.raises(ConfigError, match=r"meta is switched off.*platforms.*policy\.yaml"):
        asyncio.run(touch())
