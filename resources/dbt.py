"""dbt as a resource: run inside this process, which is warm, instead of starting a new one for each build."""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from dagster import ConfigurableResource

from stakazo_pipelines.errors import StakazoError

MANIFEST = "assets.json"


class DbtError(StakazoError):
    """dbt could not run at all; what its models and tests made of the data is in the results instead."""


@dataclass(frozen=True, slots=True)
class DbtResult:
    """What became of one model or test. `status`: success, pass, warn, fail, error or skipped; `failures`: bad rows."""

    unique_id: str
    status: str
    seconds: float
    message: str
    failures: int

    @property
    def failed(self) -> bool:
        return self.status in {"error", "fail", "skipped"}


class DbtResource(ConfigurableResource[None]):
    """`project` is the folder of the dbt project and its profile, `target` where it may write its parse and logs."""

    project: str
    target: str

    @property
    def manifest(self) -> Path:
        """What the assets are made from: our own copy, because dbt writes its manifest in place on every build."""
        return Path(self.target) / MANIFEST

    def parse_when_stale(self) -> None:
        """Make the manifest anew when any model or setting is younger. Raises DbtError."""
        sources = [path for path in Path(self.project).rglob("*") if path.suffix in {".sql", ".yml"}]
        newest = max(path.stat().st_mtime_ns for path in sources)
        if self.manifest.exists() and self.manifest.stat().st_mtime_ns >= newest:
            return
        # In a folder of its own: dbt writes manifests in place, and a build may be writing the shared one just now.
        Path(self.target).mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self.target, prefix="parse.") as beside:
            self._invoke(["--quiet", "parse"], target=beside)
            made = Path(beside) / "manifest.json"
            os.utime(made, ns=(newest, newest))  # what was edited during the parse is younger, and parsed next time
            made.replace(self.manifest)

    def build(self) -> Sequence[DbtResult]:
        """Build every model and test the data; results in the order they finished. Raises DbtError.

        dbt's unit tests check the models' logic, not the data: the test suite runs them once, a daily run need not.
        """
        return self._invoke(["build", "--exclude-resource-type", "unit_test"])

    def _invoke(self, arguments: Sequence[str], *, target: str | None = None) -> Sequence[DbtResult]:
        from dbt.cli.main import dbtRunner  # seconds to import: only where dbt runs

        places = ["--project-dir", self.project, "--profiles-dir", self.project]
        places += ["--target-path", target or self.target, "--log-path", str(Path(self.target) / "logs")]
        os.environ.setdefault("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
        try:
            outcome = dbtRunner().invoke([*arguments, *places])
        finally:
            for handler in logging.getLogger("file_log").handlers:
                handler.close()  # dbt leaves its log open: each further build of this process would leak one more file
        if outcome.exception is not None:
            raise DbtError(f"dbt {' '.join(arguments)}: {outcome.exception}")
        return [
            DbtResult(
                unique_id=result.node.unique_id,
                status=str(result.status),
                seconds=result.execution_time,
                message=result.message or "",
                failures=result.failures or 0,
            )
            for result in getattr(outcome.result, "results", [])
        ]
