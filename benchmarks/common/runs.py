"""Games that are played once: each result is a line of a CSV file, and a run that was stopped goes on where it was."""

import csv
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, fields
from multiprocessing import get_context
from pathlib import Path

SPENT_ALIKE = 1e-3  # of spend: a smaller difference is rounding


@dataclass(frozen=True)
class Game:
    """What is played: a kind of world, its seed and size, and who decides. Days count from `after` on."""

    kind: str
    seed: int
    arms: int
    days: int
    after: int
    player: str


@dataclass(frozen=True)
class Result:
    """One pool of money of a game; money and value as in `fields.Outcome`. `note` is the player's own, in words."""

    game: Game
    pool: int
    spend: float
    value: float
    alone_spend: float
    alone: float
    best: float
    clairvoyant: float
    cpu_seconds: float
    note: str = ""

    @property
    def captured(self) -> float:
        return (self.value - self.alone) / (self.best - self.alone)

    @property
    def gain(self) -> float:
        return self.value / self.alone - 1


_GAME = [one.name for one in fields(Game)]
_HEADER = _GAME + [one.name for one in fields(Result)][1:]


def read_results(path: Path | None) -> list[Result]:
    """What a file holds already; nothing where there is none."""
    if path is None or not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [_result(row) for row in csv.DictReader(file)]


def _result(row: dict[str, str]) -> Result:
    whole = {name: int(row[name]) for name in ("seed", "arms", "days", "after")}
    game = Game(kind=row["kind"], player=row["player"], **whole)
    numbers = {one.name: float(row[one.name]) for one in fields(Result) if one.type is float}
    return Result(game=game, pool=int(row["pool"]), note=row["note"], **numbers)


def play_all(
    games: Iterable[Game], play: Callable[[Game], list[Result]], *, out: Path | None, workers: int
) -> list[Result]:
    """Play what is not in `out` yet, append each game as soon as it is over, and return all that was asked for."""
    asked = list(games)
    wanted = set(asked)
    found = [one for one in read_results(out) if one.game in wanted]
    done = {one.game for one in found}
    todo = [game for game in asked if game not in done]
    if done:
        print(f"{len(done)} games are in {out} already", file=sys.stderr)
    started = time.perf_counter()
    for count, results in enumerate(_played(todo, play, workers), start=1):
        found += results
        if out is not None:
            _append(out, results)
        game, left = results[0].game, (time.perf_counter() - started) / count * (len(todo) - count)
        captured = sum(one.captured for one in results) / len(results)
        print(
            f"{count}/{len(todo)} {game.kind} {game.seed} {game.player}: {captured:.1%} "
            f"({results[0].cpu_seconds:.1f} s CPU; {left / 60:.0f} min to go)",
            file=sys.stderr,
            flush=True,
        )
    return found


def _played(games: Sequence[Game], play: Callable[[Game], list[Result]], workers: int) -> Iterator[list[Result]]:
    if workers == 1:
        yield from map(play, games)
        return
    # Not forked: Polars has threads already.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(play, game) for game in games]):
            yield future.result()


def _append(path: Path, results: Sequence[Result]) -> None:
    fresh = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, _HEADER)
        if fresh:
            writer.writeheader()
        for one in results:
            row = asdict(one)
            writer.writerow({**row.pop("game"), **row})


def table(results: Sequence[Result], kinds: Sequence[str], players: Sequence[str]) -> str:
    """Markdown: who captured how much of what was possible, and the gain over leaving budgets alone, by kind."""
    by = {
        (kind, player): [one for one in results if one.game.kind == kind and one.game.player == player]
        for kind in kinds
        for player in players
    }
    worlds = [_any(by, kind) for kind in kinds]
    clairvoyant = [_mean([(one.clairvoyant - one.alone) / (one.best - one.alone) for one in found]) for found in worlds]
    possible = [_mean([one.best / one.alone - 1 for one in found]) for found in worlds]
    header = ["", _row("", kinds), "|---|" + "---|" * len(kinds)]
    return "\n".join(
        [
            "Share of the best possible gain: mean ± standard error (lowest world)",
            *header,
            *(_row(player, [_share(by[kind, player]) for kind in kinds]) for player in players),
            _row(
                "the best of each day, known beforehand",
                ["" if math.isnan(share) else f"{share:.1%}" for share in clairvoyant],
            ),
            "",
            "Gain over leaving budgets alone",
            *header,
            *(
                _row(player, [f"{_mean([one.gain for one in by[kind, player]]):+.1%}" for kind in kinds])
                for player in players
            ),
            _row("the best static budgets", [f"{gain:+.1%}" for gain in possible]),
            *_spend(by, header, kinds, players),
        ]
    )


def _spend(
    by: dict[tuple[str, str], list[Result]], header: Sequence[str], kinds: Sequence[str], players: Sequence[str]
) -> list[str]:
    """A third table where somebody's budgets were not delivered in full; nothing where all were."""
    moved = {key: _mean([one.spend / one.alone_spend - 1 for one in found]) for key, found in by.items()}
    if not any(abs(share) > SPENT_ALIKE for share in moved.values()):
        return []
    rows = [_row(player, [f"{moved[kind, player]:+.1%}" for kind in kinds]) for player in players]
    return ["", "Delivered spend beside leaving budgets alone", *header, *rows]


def _row(name: str, cells: Sequence[str]) -> str:
    return f"| {' | '.join([name, *cells])} |"


def _any(by: dict[tuple[str, str], list[Result]], kind: str) -> list[Result]:
    """The worlds of a kind, by whichever player has met most of them."""
    return max((found for (of, _), found in by.items() if of == kind), key=len, default=[])


def _share(found: Sequence[Result]) -> str:
    if not found:
        return "not played"
    shares = [one.captured for one in found]
    if len(shares) == 1:
        return f"{shares[0]:.1%}"
    return f"{_mean(shares):.1%} ± {_error(shares):.1%} ({min(shares):.1%})"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def _error(values: Sequence[float]) -> float:
    """Standard error of the mean over worlds, of which there are at least two."""
    mean = _mean(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1) / len(values))
