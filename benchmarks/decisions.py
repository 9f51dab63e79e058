"""What others would earn in our place: 60 days of the closed loop, same total, many worlds, every rule and peer.

OPENBLAS_NUM_THREADS=1 POLARS_MAX_THREADS=1 python benchmarks/decisions.py --seeds 20 --workers 2 --out decisions.csv

Everybody starts from the same worlds and sees what a marketer sees each morning: the reports so far, immature as they
are. The worlds are the six kinds of common/worlds.py, whose ad groups (100 of them) share one total; `--kinds sandbox`
is the sandbox's own world of three Meta accounts, each of which keeps its total. Told is the share of the best possible
gain over leaving budgets alone that each captured after `--after` days, in the worlds' own expected values. The best
are the static budgets with the same total that earn most in these days. No HTTP: entities, reports, budgets directly.

Results are added to `--out` game by game, and a game that is in it is not played again; take another file for another
version of the code. 120 worlds cost 40 minutes of one core, nearly all of it ours. The `within steps` players are the
same rules held to our policy's largest change of a budget a day. pymc-marketing is asked in an environment of its own:

python3 -m venv /tmp/mmm && /tmp/mmm/bin/pip install pymc-marketing==0.19.2 nutpie
python benchmarks/decisions.py --kinds log seasonal --arms 8 --seeds 3 --out mmm.csv
    --mmm-python /tmp/mmm/bin/python --players stakazo "proportional to ROAS" pymc-marketing
"""

import argparse
import sys
import time
from functools import partial
from pathlib import Path

from common.fields import Field, KindField, SandboxField
from common.marketing_mix import MarketingMix, missing
from common.players import WITHOUT_STEPS, ByRule, Engine, Player
from common.rules import RULES, left_alone
from common.runs import Game, Result, play_all, table
from common.worlds import KINDS

from stakazo_pipelines.policy import Policy

SANDBOX, OURS, UNBOUND, WITHIN, MMM = "sandbox", "stakazo", "stakazo without steps", ", within steps", "pymc-marketing"
STEP = Policy().allocation.step_cap
PLAYERS = (OURS, *RULES, *(f"{name}{WITHIN}" for name in RULES), "left alone")
MORE = (UNBOUND, MMM, f"{MMM}{WITHIN}")


def player_of(name: str, *, one_pool: bool, seed: int, mmm: tuple[str, ...]) -> Player:
    """Who plays under a name; `mmm` is the command that starts the marketing-mix peer."""
    step = STEP if name.endswith(WITHIN) else None
    plain = name.removesuffix(WITHIN)
    if plain == OURS:
        return Engine(one_pool, seed)
    if plain == UNBOUND:
        return Engine(one_pool, seed, WITHOUT_STEPS)
    if plain == MMM:
        return MarketingMix(mmm, seed, step)
    return ByRule(left_alone if plain == "left alone" else RULES[plain], one_pool, seed, step)


def play(game: Game, *, mmm: tuple[str, ...]) -> list[Result]:
    one_pool = game.kind != SANDBOX
    world: Field = (
        KindField(game.kind, game.seed, game.days, game.after, game.arms)
        if one_pool
        else SandboxField(game.seed, game.days, game.after)
    )
    started = time.process_time()
    player = player_of(game.player, one_pool=one_pool, seed=game.seed, mmm=mmm)
    for day in range(game.days):
        world.play(player.budgets(world, day))
    spent, note = time.process_time() - started, getattr(player, "note", "")
    return [
        Result(game, pool, one.spend, one.value, one.alone_spend, one.alone, one.best, one.clairvoyant, spent, note)
        for pool, one in enumerate(world.outcomes())
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", choices=(*KINDS, SANDBOX), default=list(KINDS), metavar="KIND")
    parser.add_argument("--players", nargs="+", choices=(*PLAYERS, *MORE), default=list(PLAYERS), metavar="NAME",
                        help=f"one or more of: {', '.join((*PLAYERS, *MORE))}".replace("%", "%%"))  # fmt: skip
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--arms", type=int, default=100, help="of the six kinds")
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--after", type=int, default=14, help="days that do not count")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, help="CSV to add results to, and to go on from")
    parser.add_argument("--mmm-python", default=sys.executable, help="the Python that has pymc-marketing")
    parser.add_argument("--mmm-draws", type=int, default=300)
    options = parser.parse_args()

    mmm = (options.mmm_python, str(Path(__file__).parent / "peers" / "marketing_mix.py"), str(options.mmm_draws))
    players = list(options.players)
    if any(name.startswith(MMM) for name in players) and (reason := missing(mmm)):
        print(f"{MMM} does not play: {reason}", file=sys.stderr)
        players = [name for name in players if not name.startswith(MMM)]
    games = [
        Game(kind, seed, options.arms, options.days, options.after, player)
        for kind in options.kinds
        for seed in range(options.first_seed, options.first_seed + options.seeds)
        for player in players
    ]
    results = play_all(games, partial(play, mmm=mmm), out=options.out, workers=options.workers)
    print(
        f"{options.seeds} worlds of each kind, {options.arms} ad groups, {options.days} days counted from day "
        f"{options.after}\n\n{table(results, options.kinds, players)}"
    )
    for one in results:
        if one.note:
            print(f"\n{one.game.kind}, seed {one.game.seed}, {one.game.player}: {one.note}")


if __name__ == "__main__":
    main()
