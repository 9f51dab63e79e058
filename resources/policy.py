"""The policy as a resource: read anew at each use, so that an edit counts from the next run on."""

from pathlib import Path

from dagster import ConfigurableResource

from stakazo_pipelines.policy import Policy, load_policy


class PolicyResource(ConfigurableResource[None]):
    """`path` names the policy file."""

    path: str

    def load(self) -> Policy:
        return load_policy(Path(self.path))

    def text(self) -> str:
        return Path(self.path).read_text(encoding="utf-8")
