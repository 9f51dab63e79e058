import numpy as np
import pytest
from scipy.stats import multivariate_normal

from stakazo_pipelines.measurement.pooling import Tree, leave_one_out, send_up

CAMPAIGN = np.array([0, 0, 0, 1, 1, 2, 3])
OBJECTIVE = np.array([0, 0, 0, 0, 0, 1, 2])
ACCOUNT = np.array([0, 0, 0, 0, 0, 0, 1])
PLATFORM = np.zeros(7, dtype=np.int64)
SDS = (0.4, 0.3, 0.2, 0.25, 0.15)
ROOT = (0.1, 0.5**2)
MEAN = np.array([0.5, -0.2, 0.9, 1.4, 0.0, -1.0, 0.3])
PRECISION = np.array([4.0, 0.5, 25.0, 9.0, 0.0, 1.0, 16.0])


def dense_prior() -> np.ndarray:
    groups = [np.arange(7), CAMPAIGN, OBJECTIVE, ACCOUNT, PLATFORM]
    same = [np.equal.outer(group, group) * sd**2 for group, sd in zip(groups, SDS, strict=True)]
    return np.sum(same, axis=0) + ROOT[1]


def tree() -> Tree:
    return Tree.build([CAMPAIGN, OBJECTIVE, ACCOUNT, PLATFORM])


def test_pooling_equals_the_dense_gaussian_answer_with_the_own_arm_left_out() -> None:
    prior = dense_prior()
    mean, variance = leave_one_out(tree(), mean=MEAN, precision=PRECISION, sds=SDS, root=ROOT)
    for arm in range(7):
        others = [i for i in range(7) if i != arm and PRECISION[i] > 0]
        noisy = prior[np.ix_(others, others)] + np.diag(1 / PRECISION[others])
        gain = np.linalg.solve(noisy, prior[others, arm])
        assert mean[arm] == pytest.approx(ROOT[0] + gain @ (MEAN[others] - ROOT[0]))
        assert variance[arm] == pytest.approx(prior[arm, arm] - gain @ prior[others, arm])


def test_evidence_equals_the_dense_gaussian_density() -> None:
    told = PRECISION > 0
    prior = dense_prior()[np.ix_(told, told)] + np.diag(1 / PRECISION[told])
    expected = multivariate_normal(np.full(told.sum(), ROOT[0]), prior).logpdf(MEAN[told])
    shifted = send_up(tree(), mean=MEAN, precision=PRECISION, sds=SDS, root=ROOT).log_evidence
    base = (0.2, 0.1, 0.1, 0.1, 0.1)
    groups = [np.arange(7), CAMPAIGN, OBJECTIVE, ACCOUNT, PLATFORM]
    other = np.sum([np.equal.outer(g, g) * s**2 for g, s in zip(groups, base, strict=True)], axis=0) + ROOT[1]
    other = other[np.ix_(told, told)] + np.diag(1 / PRECISION[told])
    expected -= multivariate_normal(np.full(told.sum(), ROOT[0]), other).logpdf(MEAN[told])
    shifted -= send_up(tree(), mean=MEAN, precision=PRECISION, sds=base, root=ROOT).log_evidence
    assert shifted == pytest.approx(expected)


def test_an_arm_alone_in_the_world_gets_the_wide_prior() -> None:
    one = Tree.build([np.array([0])] * 4)
    mean, variance = leave_one_out(one, mean=np.array([2.0]), precision=np.array([100.0]), sds=SDS, root=ROOT)
    assert mean[0] == pytest.approx(ROOT[0])
    assert variance[0] == pytest.approx(ROOT[1] + sum(sd**2 for sd in SDS))
