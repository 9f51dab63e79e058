"""What tells the platforms apart: prices, order values, reaction, delay, and where people leave money on the table.

Money in US dollars; an account scales it to its own currency.
"""

from collections.abc import Mapping
from dataclasses import dataclass

Range = tuple[float, float]  # start and width of a uniform draw


@dataclass(frozen=True, slots=True)
class Traits:
    """A platform's typical account.

    `budget` is what people set per ad group and day, `appetite` what its audience takes at half saturation: where they
    differ, money is worth moving. `level` is the value per unit of money at that point. `floors` are the smallest daily
    budgets of an ad group and of a campaign, the same figure in a dearer currency. `delay` draws the shares of
    conversions that show at once and a day later, and the decay of the rest.
    """

    budget: float
    appetite: float
    level: Range
    cpm: Range
    order_value: float
    delay: tuple[Range, Range, Range]
    ctr: float
    hook: float
    video: float
    floors: tuple[float, float]
    objectives: Mapping[str, float]


TRAITS: Mapping[str, Traits] = {
    "meta": Traits(
        budget=130.0,
        appetite=130.0,
        level=(1.9, 0.0),
        cpm=(7.0, 5.0),
        order_value=62.0,
        delay=((0.40, 0.08), (0.14, 0.04), (0.62, 0.12)),
        ctr=0.014,
        hook=0.24,
        video=0.55,
        floors=(0.0, 0.0),
        objectives={
            "OUTCOME_SALES": 0.84,
            "OUTCOME_LEADS": 0.07,
            "OUTCOME_TRAFFIC": 0.06,
            "OUTCOME_AWARENESS": 0.03,
        },
    ),
    # Cheap impressions, nearly all video, small baskets bought at once; younger accounts that people underfund.
    "tiktok": Traits(
        budget=90.0,
        appetite=225.0,
        level=(1.7, 0.9),
        cpm=(3.0, 2.5),
        order_value=41.0,
        delay=((0.46, 0.08), (0.15, 0.04), (0.55, 0.10)),
        ctr=0.010,
        hook=0.33,
        video=0.96,
        floors=(20.0, 50.0),
        objectives={
            "OUTCOME_SALES": 0.80,
            "OUTCOME_TRAFFIC": 0.08,
            "OUTCOME_ENGAGEMENT": 0.07,
            "OUTCOME_AWARENESS": 0.05,
        },
    ),
    # Dear impressions, few clicks, few and late conversions of high value; budgets larger than the audiences are.
    "linkedin": Traits(
        budget=210.0,
        appetite=130.0,
        level=(1.3, 0.9),
        cpm=(30.0, 16.0),
        order_value=380.0,
        delay=((0.16, 0.06), (0.10, 0.04), (0.80, 0.10)),
        ctr=0.0065,
        hook=0.20,
        video=0.3,
        floors=(12.0, 12.0),
        objectives={
            "OUTCOME_SALES": 0.62,
            "OUTCOME_LEADS": 0.26,
            "OUTCOME_TRAFFIC": 0.07,
            "OUTCOME_AWARENESS": 0.05,
        },
    ),
}
