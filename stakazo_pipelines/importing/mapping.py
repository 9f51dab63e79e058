"""Which column of an export means what: read from a small YAML file or from flags, validated against the header."""

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from stakazo_pipelines.errors import ConfigError, InputError


def _as_columns(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Columns = Annotated[tuple[str, ...], BeforeValidator(_as_columns)]


class DateColumns(BaseModel):
    """Where the report day stands. `format` is strptime's; `year` completes dates that have none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: Annotated[Columns, Field(min_length=1)]
    format: str | None = None
    year: Annotated[int, Field(ge=2000, le=2100)] | None = None


def _as_date(value: object) -> object:
    return {"columns": value} if isinstance(value, str | list) else value


class Constants(BaseModel):
    """What is the same for every row because the export does not say it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    account: str | None = None
    currency: str | None = None
    timezone: str | None = None
    attribution_window: str | None = None


class ColumnMapping(BaseModel):
    """Our names on the left, the export's column names as values. Several columns are joined with " / "."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    date: Annotated[DateColumns, BeforeValidator(_as_date)]
    date_end: str | None = None  # rows that span several days are set aside
    ad_group: Annotated[Columns, Field(min_length=1)]
    campaign: Columns = ()
    ad: Columns = ()
    campaign_id: str | None = None
    ad_group_id: str | None = None
    ad_id: str | None = None
    account: str | None = None
    currency: str | None = None
    timezone: str | None = None
    attribution_window: str | None = None
    spend: str
    conversions: str | None = None
    value: str | None = None
    impressions: str | None = None
    clicks: str | None = None
    link_clicks: str | None = None
    reach: str | None = None
    video_plays: str | None = None
    engagements: str | None = None
    constants: Constants = Constants()
    blank: tuple[str, ...] = ("#N/A",)  # cells that mean "nothing", beside the empty one
    decimal: Literal[".", ","] = "."

    def columns(self) -> list[tuple[str, str]]:
        """(our name, column) of every column that is used."""
        pairs = [("date", column) for column in self.date.columns]
        for name in type(self).model_fields:
            value = getattr(self, name)
            if name in {"date", "constants", "blank", "decimal"} or not value:
                continue
            pairs += [(name, column) for column in ((value,) if isinstance(value, str) else value)]
        return pairs

    def check_against(self, header: Sequence[str], *, source: str) -> None:
        """Raises InputError naming every mapped column that the header lacks, with the nearest that it has."""
        problems = []
        for name, column in self.columns():
            if header.count(column) == 1:
                continue
            if column in header:
                problems.append(f"{name}: the column {column!r} stands {header.count(column)} times; rename one")
                continue
            near = difflib.get_close_matches(column.lower(), [known.lower() for known in header], n=1, cutoff=0.5)
            hint = next((known for known in header if near and known.lower() == near[0]), None)
            advice = f"did you mean {hint!r}?" if hint else f"there are {', '.join(header)}"
            problems.append(f"{name}: no column {column!r}; {advice}")
        if problems:
            raise InputError(f"{source}: " + "; ".join(problems))


def load_mapping(path: Path) -> ColumnMapping:
    """A mapping file. Raises ConfigError naming the file, the field and the fix."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); give the path of a mapping file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}{line}: not valid YAML ({getattr(error, 'problem', error)})") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: a mapping is `our name: column`, not {type(values).__name__}")
    return _validated(values, source=str(path))


def mapping_from_flags(flags: Iterable[str], *, base: ColumnMapping | None = None) -> ColumnMapping:
    """A mapping from `name=column` (several columns with commas), over `base` where there is one.

    Also `date.format=…`, `date.year=…`, `constants.currency=…`. Raises ConfigError.
    """
    values: dict[str, Any] = base.model_dump() if base else {}
    for flag in flags:
        name, separator, column = flag.partition("=")
        if not separator or not column:
            raise ConfigError(f"--column {flag}: expected name=column, for example spend=cost")
        section, _, part = name.strip().partition(".")
        if part:
            values[section] = {**values.get(section, {}), part: column}
        elif section == "date":
            values["date"] = {**values.get("date", {}), "columns": tuple(column.split(","))}
        else:
            several = section in {"campaign", "ad_group", "ad", "blank"}
            values[section] = tuple(column.split(",")) if several else column
    return _validated(values, source="--column")


def _validated(values: dict[str, Any], *, source: str) -> ColumnMapping:
    try:
        return ColumnMapping.model_validate(values)
    except ValidationError as error:
        raise ConfigError("\n".join(_describe(source, problem) for problem in error.errors())) from None


def _describe(source: str, problem: Any) -> str:
    name = ".".join(str(part) for part in problem["loc"]) or "mapping"
    if problem["type"] == "missing":
        return f"{source}: {name}: is needed; name the column that holds it"
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(problem["loc"][-1]), ColumnMapping.model_fields, n=1)
        advice = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(ColumnMapping.model_fields)}"
        return f"{source}: {name}: no such name; {advice}"
    return f"{source}: {name}: {problem['msg']}; it is {problem['input']!r}"
