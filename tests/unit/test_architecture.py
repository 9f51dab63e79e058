"""The house's rules on what may import what, read from the source itself."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOP = ("stakazo_pipelines", "assets", "resources", "sensors")
# What a room may import of ours, besides itself. Lower rooms know nothing of higher ones.
ROOMS = {
    "errors": set(),
    "vocabulary": set(),
    "money": set(),
    "policy": {"errors", "vocabulary"},
    "currency": {"errors", "money"},
    "settings": {"errors"},
    "lift_tests": {"errors"},
    "platforms": {"errors", "vocabulary", "money"},
    "measurement": {"errors", "vocabulary", "policy"},
    "allocation": {"errors", "vocabulary", "money", "policy", "measurement"},
    "scoring": {"vocabulary", "measurement"},
    "lake": {"errors", "vocabulary", "money", "platforms"},
    "marts": {"errors", "vocabulary", "platforms", "lake", "measurement"},
    "importing": {"errors", "vocabulary", "money", "platforms", "lake"},
    "operations": {"errors", "vocabulary", "money"},
    "decisions": {"errors", "vocabulary", "money", "operations"},
    "publishing": {
        "errors", "vocabulary", "money", "policy", "platforms", "operations", "decisions", "allocation",
    },
    "sandbox": set(),
}  # fmt: skip
PURE = ("measurement", "allocation", "scoring")
IO_MODULES = {"httpx", "requests", "sqlalchemy", "duckdb", "socket", "subprocess", "os", "pathlib", "asyncio"}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def sources(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    assert found, folders
    return found


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """(module, whether it is imported inside a function) of every import; `from a import b` counts as a.b too."""
    lazy = {
        inner
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node in lazy) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            assert node.module
            yield node.module, node in lazy
            yield from ((f"{node.module}.{alias.name}", node in lazy) for alias in node.names)


def room_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "stakazo_pipelines" and len(parts) > 1 else None


def where(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_only_the_composition_root_knows_dagster_and_commands_that_start_runs_import_it_late():
    knowing = {
        (where(path), lazy)
        for path in sources("stakazo_pipelines")
        for module, lazy in imports(path)
        if re.match(r"(dagster(_\w+)?|assets|resources|sensors)(\.|$)", module)
    }
    others = knowing - {("stakazo_pipelines/definitions.py", False)}
    assert len(others) < len(knowing)
    assert all(lazy and path.startswith("stakazo_pipelines/commands/") for path, lazy in others), others


def test_only_commands_import_the_definitions_they_run():
    importing = {
        where(path)
        for path in sources(*TOP)
        for module, _ in imports(path)
        if module.startswith("stakazo_pipelines.definitions")
    }
    assert importing == {f"stakazo_pipelines/commands/{name}.py" for name in ("audit", "build", "run")}


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_imports_only_rooms_below_it(room):
    folder = ROOT / "stakazo_pipelines" / room
    paths = sources(f"stakazo_pipelines/{room}") if folder.is_dir() else [folder.with_suffix(".py")]
    strangers = {
        f"{where(path)} imports {module}"
        for path in paths
        for module, _ in imports(path)
        if (other := room_of(module)) is not None and other != room and other not in ROOMS[room]
    }
    assert not strangers


def test_the_rooms_have_no_circle():
    order: list[str] = []
    while len(order) < len(ROOMS):
        free = sorted(room for room, below in ROOMS.items() if room not in order and below <= set(order))
        assert free, f"a circle among {sorted(set(ROOMS) - set(order))}"
        order += free


def test_nothing_but_the_command_that_serves_it_imports_the_sandbox():
    importing = {
        where(path)
        for path in sources(*TOP)
        for module, _ in imports(path)
        if room_of(module) == "sandbox" and "stakazo_pipelines/sandbox" not in where(path)
    }
    assert importing == {"stakazo_pipelines/commands/sandbox.py"}


def test_arbitration_knows_no_database():
    for name in ("arbiter", "candidate"):
        modules = {module for module, _ in imports(ROOT / "stakazo_pipelines" / "decisions" / f"{name}.py")}
        assert not {module for module in modules if room_of(module) == "operations" or module.startswith("sqlalchemy")}


@pytest.mark.parametrize("path", sources(*[f"stakazo_pipelines/{room}" for room in PURE]), ids=where)
def test_estimating_and_allocating_touch_no_file_no_clock_and_no_global_randomness(path):
    assert not {module for module, _ in imports(path) if module.split(".")[0] in IO_MODULES | {"random", "time"}}
    calls = [ast.unparse(node.func) for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]
    forbidden = re.compile(
        r"open|print|input"
        r"|(datetime|date|dt)\.(now|today|utcnow)|datetime\.date\.today"
        r"|(np|numpy)\.random\.(?!default_rng$|Generator$|SeedSequence$)\w+"
        r"|pl\.(read|scan)_\w+|.*\.(write|sink)_(csv|parquet|json|ipc|ndjson)"
    )
    assert not [call for call in calls if forbidden.fullmatch(call)]
    unseeded = [
        ast.unparse(node)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("default_rng") and not node.args
    ]
    assert not unseeded


@pytest.mark.parametrize("path", sources(*TOP), ids=where)
def test_no_error_is_swallowed_unnamed(path):
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ExceptHandler):
            caught = "" if node.type is None else ast.unparse(node.type)
            assert caught not in {"", "Exception", "BaseException"}, f"{where(path)}:{node.lineno}"


def test_no_package_file_shadows_dbt_or_the_assets():
    assert not (ROOT / "dbt" / "__init__.py").exists()
    assert not list((ROOT / "tests").rglob("__init__.py"))


def test_the_names_of_test_files_are_unique():
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_file_pins_everything_and_names_no_host(name):
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if "://" in line or line.startswith("-")]
    assert all(re.match(r"[A-Za-z0-9._\[\]-]+==", line) for line in lines if line and not line.startswith("#"))
