"""One call on the Graph API, the same whether it came alone or inside a batch."""

import json
import re
from dataclasses import dataclass
from urllib.parse import urlencode

from stakazo_pipelines.sandbox.emulation import Draw
from stakazo_pipelines.sandbox.meta.params import Params

_VERSION = re.compile(r"^v\d+\.\d+$")
DEFAULT_VERSION = "v26.0"


@dataclass(frozen=True, slots=True)
class Call:
    """`path` has neither version nor outer slashes: `act_1/campaigns`. `draw` asks for the faults of one stage."""

    method: str
    path: str
    version: str
    params: Params
    base_url: str
    draw: Draw = lambda _stage: ()

    @property
    def parts(self) -> list[str]:
        return [part for part in self.path.split("/") if part]

    def url(self, path: str, **changes: str) -> str:
        """The absolute address of a path with this call's parameters, some changed, as paging links have it."""
        query = {name: value for name, value in self.params.items() if name not in ("before", "after", "batch")}
        texts = {
            name: value if isinstance(value, str) else _compact(value) for name, value in (query | changes).items()
        }
        return f"{self.base_url}/{self.version}/{path}?{urlencode(texts)}"


def split_version(path: str) -> tuple[str, str]:
    """Version (or the default one) and the rest of a path, without outer slashes."""
    parts = [part for part in path.split("/") if part]
    if parts and _VERSION.match(parts[0]):
        return parts[0], "/".join(parts[1:])
    return DEFAULT_VERSION, "/".join(parts)


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
