"""Writes shop_export.csv: sixty days of ten ad groups of a shop that does not exist, always the same numbers.

Each ad group has its own returns with diminishing marginal ones, a weekly season and noise, so that estimates differ.
"""

import csv
from datetime import date, timedelta
from pathlib import Path

import numpy as np

SEED = 20260101
FIRST_DAY = date(2026, 1, 5)
DAYS = 60
HEADER = ("Date", "Campaign", "Audience", "Cost", "Orders", "Revenue", "Views", "Clicks")
# campaign, audience, usual daily cost, orders a day at that cost, elasticity, value of an order
AD_GROUPS = (
    ("Spring sale", "Cart leavers", 60.0, 4.2, 0.45, 58.0),
    ("Spring sale", "Past buyers", 80.0, 4.8, 0.55, 62.0),
    ("Spring sale", "Newsletter", 40.0, 2.2, 0.60, 55.0),
    ("Spring sale", "Lookalike 1 %", 120.0, 4.0, 0.70, 57.0),
    ("Prospecting", "Lookalike 3 %", 150.0, 3.6, 0.75, 54.0),
    ("Prospecting", "Runners", 90.0, 2.9, 0.70, 66.0),
    ("Prospecting", "Hikers", 90.0, 1.7, 0.65, 71.0),
    ("Prospecting", "Broad", 200.0, 3.1, 0.80, 52.0),
    ("Brand", "Video viewers", 50.0, 0.6, 0.50, 60.0),
    ("Brand", "Page fans", 30.0, 0.5, 0.50, 59.0),
)
WEEK = (1.0, 0.95, 0.95, 1.0, 1.05, 1.2, 1.15)


def rows(seed: int = SEED) -> list[tuple[object, ...]]:
    """The export's rows, day by day."""
    random = np.random.default_rng(seed)
    made: list[tuple[object, ...]] = []
    for offset in range(DAYS):
        day = FIRST_DAY + timedelta(days=offset)
        shock = random.normal(0.0, 0.06)
        for campaign, audience, usual, orders_at_usual, elasticity, value in AD_GROUPS:
            cost = round(usual * float(np.exp(random.normal(0.0, 0.22))), 2)
            mean = orders_at_usual * (cost / usual) ** elasticity * WEEK[day.weekday()] * np.exp(shock)
            orders = int(random.poisson(random.gamma(8.0, mean / 8.0)))
            revenue = round(float(random.gamma(6.0 * orders, value / 6.0)) if orders else 0.0, 2)
            views = int(cost * random.uniform(90, 130))
            made.append((day.isoformat(), campaign, audience, cost, orders, revenue, views, int(views * 0.012)))
    return made


def main() -> None:
    """Write the file beside this script."""
    with Path(__file__).with_name("shop_export.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(rows())


if __name__ == "__main__":
    main()
