"""pymc-marketing's MMM and budget optimiser, on one question from stdin; run by the Python that has the library.

The question has every ad group's spend and reported value by day; the answer, one line of JSON on stdout, the budgets a
day. One channel in a panel of ad groups, each with its own value to explain: geometric adstock, logistic saturation and
the library's own default priors. Nothing of stakazo is imported.
"""

import json
import sys
import time
import warnings
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from pymc_marketing.mmm import GeometricAdstock, LogisticSaturation
from pymc_marketing.mmm.multidimensional import MMM, MultiDimensionalBudgetOptimizerWrapper

CARRIED = 4  # days that adstock reaches back
EQUAL = 1e-3  # relative difference to the equal split that counts as none


def main() -> None:
    question, draws = json.load(sys.stdin), int(sys.argv[1])
    started = time.perf_counter()
    answer = budgets(question, draws)
    print(json.dumps({**answer, "seconds": time.perf_counter() - started}))


def budgets(question: dict[str, Any], draws: int) -> dict[str, Any]:
    arms, today = question["arms"], np.array(question["budgets"])
    days = pd.DataFrame({"date": pd.to_datetime(question["dates"]), "arm": question["arm"],
                         "spend": question["spend"], "value": question["value"]})  # fmt: skip
    every = pd.MultiIndex.from_product([sorted(days["date"].unique()), arms], names=["date", "arm"])
    panel = days.set_index(["date", "arm"]).reindex(every, fill_value=0.0).reset_index()
    model = MMM(
        date_column="date", target_column="value", channel_columns=["spend"], dims=("arm",),
        adstock=GeometricAdstock(l_max=CARRIED), saturation=LogisticSaturation(),
    )  # fmt: skip
    fitted = model.fit(
        panel[["date", "arm", "spend"]], panel["value"], draws=draws, tune=draws, chains=2, cores=1,
        random_seed=question["seed"], progressbar=False, nuts_sampler="nutpie",
    )  # fmt: skip
    first = panel["date"].max().date() + timedelta(days=1)
    last: date = first + timedelta(days=question["days"] - 1)
    optimiser = MultiDimensionalBudgetOptimizerWrapper(model, start_date=str(first), end_date=str(last))
    found, result = optimiser.optimize_budget(budget=float(today.sum()))
    chosen = found.sel(channel="spend").sel(arm=arms).to_numpy().astype(float)
    equal = bool(np.allclose(chosen, chosen.mean(), rtol=EQUAL))
    return {
        "budgets": np.maximum(chosen, 0.0).tolist(), "equal": equal, "success": bool(result.success),
        "rhat": _worst_rhat(fitted),
    }  # fmt: skip


def _worst_rhat(fitted: Any) -> float:
    import arviz

    found = arviz.rhat(fitted, var_names=["saturation_lam", "saturation_beta", "adstock_alpha"])
    return float(max(found[name].max() for name in found.data_vars))


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main()
