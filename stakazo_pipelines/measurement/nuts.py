"""Chains of NUTS over a PyMC model, and whether they may be used.

PyMC, ArviZ and nutpie are imported at call time only: loading definitions must not pay for them.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from stakazo_pipelines.measurement.arrays import Array

MAX_RHAT = 1.01
MIN_ESS = 400.0
MAX_DIVERGENT_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Sampling:
    """How long the chains are; the draws kept are `draws` x `chains`."""

    draws: int
    tune: int
    chains: int = 2
    cores: int = 2
    target_accept: float = 0.8  # more makes shorter steps, which narrow corners need


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """How well the chains agree on what was looked at, and how often the sampler lost its way."""

    max_rhat: float
    min_ess: float  # the lower one of bulk and tails
    divergences: int
    draws: int  # over all chains

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the fit, in words; empty when it may be used."""
        found = []
        if not self.max_rhat <= MAX_RHAT:
            found.append(f"R-hat {self.max_rhat:.3f} above {MAX_RHAT}")
        if not self.min_ess >= MIN_ESS:
            found.append(f"effective sample size {self.min_ess:.0f} below {MIN_ESS:.0f}")
        if self.divergences > MAX_DIVERGENT_SHARE * self.draws:
            found.append(f"{self.divergences} divergences in {self.draws} draws")
        return tuple(found)

    @property
    def passed(self) -> bool:
        """Whether the fit may be used."""
        return not self.problems


def compile_model(model: Any, *, keep: tuple[str, ...]) -> Any:
    """For `sample`, by nutpie and Numba (some 20 s of work); draws will hold the variables in `keep`."""
    with warnings.catch_warnings():
        # The BLAS that PyTensor misses is that of a backend which is not used here.
        warnings.filterwarnings("ignore", message="PyTensor could not link to a BLAS", category=UserWarning)
        import nutpie

        return nutpie.compile_pymc_model(model, var_names=list(keep))


def sample(compiled: Any, sampling: Sampling, *, seed: int) -> Any:
    """Chains of NUTS as an ArviZ object."""
    import nutpie

    return nutpie.sample(
        compiled,
        draws=sampling.draws,
        tune=sampling.tune,
        chains=sampling.chains,
        cores=sampling.cores,
        seed=seed,
        target_accept=sampling.target_accept,
        save_warmup=False,
        progress_bar=False,
    )


def diagnose(trace: Any, names: tuple[str, ...]) -> Diagnostics:
    """The worst figures over the entries of the variables `names` (rank-normalised, Vehtari et al. 2021)."""
    import arviz as az

    chosen = trace.posterior[list(names)]
    rhat = az.rhat(chosen)  # type: ignore[no-untyped-call]  # arviz is untyped here
    bulk = az.ess(chosen, method="bulk")  # type: ignore[no-untyped-call]  # arviz is untyped here
    tail = az.ess(chosen, method="tail")  # type: ignore[no-untyped-call]  # arviz is untyped here
    diverging = np.asarray(trace.sample_stats["diverging"])
    return Diagnostics(
        max_rhat=float(max(float(rhat[name].max(skipna=False)) for name in names)),
        min_ess=float(min(float(ess[name].min(skipna=False)) for ess in (bulk, tail) for name in names)),
        divergences=int(diverging.sum()),
        draws=int(diverging.size),
    )


def drawn(trace: Any, name: str) -> Array:
    """All chains of a variable one after the other: draws x its shape."""
    values = np.asarray(trace.posterior[name], dtype=np.float64)
    return values.reshape(-1, *values.shape[2:])
