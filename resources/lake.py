"""The lake as a resource."""

from pathlib import Path

from dagster import ConfigurableResource

from stakazo_pipelines.lake import Lake


class LakeResource(ConfigurableResource[None]):
    """`root` is the folder that holds raw/, marts/ and assets/."""

    root: str

    def open(self) -> Lake:
        lake = Lake(Path(self.root))
        lake.ensure_layout()
        return lake
