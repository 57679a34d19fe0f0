"""Each figure against cases worked by hand, against scikit-learn where it has it, and against its properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_curve

from benchmarks.compare.score import metrics
from engine.errors import ResearchError

NOBODY = np.zeros(0), np.zeros(0, bool)


def drawn(seed: int, count: int, *, levels: int | None = None) -> tuple[metrics.Floats, metrics.Bools]:
    """Scores that know something of `right`; with `levels` there are many ties."""
    rng = np.random.default_rng(seed)
    right = rng.random(count) < 0.4
    score = rng.normal(0, 1, count) + right
    return (np.round(score * levels) if levels else score), right


class TestRank:
    def rank(self, *rows: tuple[int, float, str]) -> float:
        """rows: rank, score, and "r"ight, "w"rong or "n"eutral."""
        kinds = np.array([k for _, _, k in rows])
        ranks, scores = np.array([r for r, _, _ in rows], int), np.array([s for _, s, _ in rows], float)
        return metrics.rank_of_right(ranks, scores, kinds == "r", kinds == "n")

    def test_by_hand(self) -> None:
        assert self.rank((1, 9, "r"), (2, 8, "w")) == 1
        assert self.rank((1, 9, "w"), (2, 8, "r"), (3, 7, "r")) == 2
        assert self.rank() == math.inf
        assert self.rank((1, 9, "w"), (2, 8, "n")) == math.inf

    def test_ties_count_against(self) -> None:
        """A wrong picture of equal score stands first, wherever the list has it."""
        assert self.rank((1, 9, "r"), (2, 9, "w"), (3, 9, "w")) == 3
        assert self.rank((1, 9, "r"), (2, 9, "r")) == 1

    def test_neutral_takes_no_place(self) -> None:
        assert self.rank((1, 9, "n"), (2, 8, "r")) == 1
        assert self.rank((1, 9, "n"), (2, 9, "r"), (3, 9, "n")) == 1

    def test_far_down(self) -> None:
        """A right row beyond what is listed stands at its own rank."""
        assert self.rank((1, 9, "w"), (2, 8, "w"), (740, 1, "r")) == 740


class TestShares:
    def test_by_hand(self) -> None:
        hits, counted = np.array([True, True, False, True]), np.array([True, True, True, False])
        assert metrics.share(hits, counted) == pytest.approx(2 / 3)
        assert metrics.share(hits, counted, np.array([0, 1, 3, 9])) == 0.25
        assert math.isnan(metrics.share(*(np.zeros(0, bool),) * 2))
        assert math.isnan(metrics.share(hits, ~hits & hits))

    def test_quantile(self) -> None:
        values = np.array([3.0, 1.0, 2.0, np.inf])
        assert [metrics.quantile(values, q) for q in (0.25, 0.5, 0.75, 1.0)] == [1, 2, 3, np.inf]
        assert metrics.quantile(values, 0.5, np.array([5, 1, 1, 0])) == 3
        assert math.isnan(metrics.quantile(np.zeros(0), 0.5))


class TestMicroAP:
    def test_by_hand(self) -> None:
        """Right, wrong, right of four positives: (1/1 + 2/3) / 4."""
        score, right = np.array([0.9, 0.5, 0.7]), np.array([True, True, False])
        assert metrics.micro_ap(score, right, 4) == pytest.approx((1 + 2 / 3) / 4)

    def test_ties_count_against(self) -> None:
        """One right and one wrong of equal score: the wrong one goes first."""
        assert metrics.micro_ap(np.array([1.0, 1.0]), np.array([True, False]), 1) == 0.5

    def test_nothing(self) -> None:
        assert metrics.micro_ap(*NOBODY, 3) == 0
        assert math.isnan(metrics.micro_ap(*NOBODY, 0))

    @pytest.mark.parametrize("seed", range(5))
    def test_scikit_learn(self, seed: int) -> None:
        score, right = drawn(seed, 200)
        ours = metrics.micro_ap(score, right, right.sum())
        assert ours == pytest.approx(average_precision_score(right, score))
        assert metrics.micro_ap(score, right, 2 * right.sum()) == pytest.approx(ours / 2)

    @pytest.mark.parametrize("seed", range(5))
    def test_never_above_scikit_learn_with_ties(self, seed: int) -> None:
        score, right = drawn(seed, 200, levels=1)
        assert metrics.micro_ap(score, right, right.sum()) < average_precision_score(right, score)

    @given(seed=st.integers(0, 10**6), levels=st.sampled_from([None, 1, 3]))
    def test_weights_repeat(self, seed: int, levels: int | None) -> None:
        """A weight of w is the same as w copies, for every figure that takes weights."""
        score, right = drawn(seed, 30, levels=levels)
        w = np.random.default_rng(seed).integers(0, 4, 30)
        s, r = np.repeat(score, w), np.repeat(right, w)
        assert metrics.micro_ap(score, right, 9, w) == pytest.approx(metrics.micro_ap(s, r, 9))
        for precision in (0.5, 0.9):
            assert metrics.recall_at_precision(score, right, 9, precision=precision, weights=w) == pytest.approx(
                metrics.recall_at_precision(s, r, 9, precision=precision)
            )
        assert metrics.tpr_at_fpr(score, right, 9, 40, fpr=0.1, weights=w) == pytest.approx(
            metrics.tpr_at_fpr(s, r, 9, 40, fpr=0.1)
        )
        if w.sum():
            assert metrics.quantile(score, 0.3, w) == metrics.quantile(s, 0.3)

    @given(seed=st.integers(0, 10**6))
    def test_only_the_order_counts(self, seed: int) -> None:
        score, right = drawn(seed, 25, levels=2)
        assert metrics.micro_ap(np.exp(score / 9), right, 25) == pytest.approx(metrics.micro_ap(score, right, 25))


class TestRecallAtPrecision:
    def test_by_hand(self) -> None:
        """Nine right, then a wrong one, then a right one: 10 of 11 is 0.909; one more wrong one is too many."""
        right = np.array([True] * 9 + [False, True, False])
        score = -np.arange(12.0)
        assert metrics.recall_at_precision(score, right, 20) == 0.5
        assert metrics.recall_at_precision(score, ~right, 20) == 0
        assert metrics.recall_at_precision(*NOBODY, 20) == 0
        assert math.isnan(metrics.recall_at_precision(*NOBODY, 0))

    def test_no_threshold_divides_equals(self) -> None:
        """Nine right ones that share their score with two wrong ones cannot be had without these."""
        assert metrics.recall_at_precision(np.ones(11), np.array([True] * 9 + [False] * 2), 9) == 0

    @pytest.mark.parametrize("levels", [None, 1, 4])
    def test_scikit_learn(self, levels: int | None) -> None:
        score, right = drawn(3, 300, levels=levels)
        precision, recall, _ = precision_recall_curve(right, score)
        for level in (0.5, 0.7, 0.9):
            expected = recall[:-1][precision[:-1] >= level].max(initial=0)
            assert metrics.recall_at_precision(score, right, right.sum(), precision=level) == pytest.approx(expected)


class TestTrueAtFalsePositives:
    def test_by_hand(self) -> None:
        """Five right pairs, three of them listed; 100 wrong pairs: at 1 % one of these may be reached."""
        score = np.array([9.0, 8, 7, 6, 5])
        right = np.array([True, False, True, False, True])
        assert metrics.tpr_at_fpr(score, right, 5, 100, fpr=0.001) == pytest.approx(1 / 5)
        assert metrics.tpr_at_fpr(score, right, 5, 100, fpr=0.01) == pytest.approx(2 / 5)
        assert metrics.tpr_at_fpr(score, right, 5, 100, fpr=0.02) == pytest.approx(3 / 5)
        assert metrics.tpr_at_fpr(*NOBODY, 5, 100, fpr=0.1) == 0
        assert math.isnan(metrics.tpr_at_fpr(*NOBODY, 0, 100, fpr=0.1))

    @pytest.mark.parametrize("levels", [None, 1, 4])
    def test_scikit_learn(self, levels: int | None) -> None:
        score, right = drawn(4, 400, levels=levels)
        false, true, _ = roc_curve(right, score, drop_intermediate=False)
        for rate in (0.001, 0.01, 0.1, 0.5):
            ours = metrics.tpr_at_fpr(score, right, right.sum(), (~right).sum(), fpr=rate)
            assert ours == pytest.approx(true[false <= rate].max())


class TestThreshold:
    def test_by_hand(self) -> None:
        score, right = np.array([5.0, 4, 3, 3, 2]), np.array([True, False, True, False, True])
        assert metrics.threshold_for_errors(score, right, 0) == 5
        assert metrics.threshold_for_errors(score, right, 1) == 4
        assert metrics.threshold_for_errors(score, right, 2) == 2
        assert metrics.threshold_for_errors(np.array([5.0]), np.array([False]), 0) == math.inf
        assert metrics.threshold_for_errors(*NOBODY, 0) == math.inf

    @given(seed=st.integers(0, 10**6), allowed=st.integers(0, 20))
    def test_holds_what_it_promises(self, seed: int, allowed: int) -> None:
        score, right = drawn(seed, 40, levels=3)
        least = metrics.threshold_for_errors(score, right, allowed)
        assert np.count_nonzero(~right & (score >= least)) <= allowed
        below = score[score < least]
        if len(below):
            assert np.count_nonzero(~right & (score >= below.max())) > allowed


class TestCalibration:
    def test_by_hand(self) -> None:
        """Two at 0.15, one of them right; one at 0.95, right: (2 x 0.35 + 0.05) / 3."""
        points = metrics.reliability(np.array([0.15, 0.15, 0.95]), np.array([True, False, True]))
        assert points == [metrics.Bin(2, pytest.approx(0.15), 0.5), metrics.Bin(1, 0.95, 1.0)]
        assert metrics.calibration_error(points) == pytest.approx((2 * 0.35 + 0.05) / 3)

    def test_ends_and_nothing(self) -> None:
        assert [b.count for b in metrics.reliability(np.array([0.0, 1.0]), np.array([False, True]))] == [1, 1]
        assert metrics.reliability(*NOBODY) == []
        assert math.isnan(metrics.calibration_error([]))
        with pytest.raises(ResearchError, match="between 0 and 1"):
            metrics.reliability(np.array([55.0]), np.array([True]))

    def test_scikit_learn(self) -> None:
        rng = np.random.default_rng(0)
        probability = rng.random(500)
        right = rng.random(500) < probability**2
        share, mean = calibration_curve(right, probability, n_bins=10)
        points = metrics.reliability(probability, right)
        assert [b.right for b in points] == pytest.approx(share.tolist())
        assert [b.probability for b in points] == pytest.approx(mean.tolist())


class TestCornerError:
    def test_by_hand(self) -> None:
        """A shift by (3, 4) moves every corner by 5 pixels; a scale of two by the corners' distances."""
        shift = np.array([[1, 0, 3], [0, 1, 4], [0, 0, 1.0]])
        assert metrics.corner_error(shift, np.eye(3), (640, 480)) == pytest.approx(5)
        assert metrics.corner_error(-7 * shift, np.eye(3), (640, 480)) == pytest.approx(5)
        double = np.diag([2.0, 2, 1])
        assert metrics.corner_error(double, np.eye(3), (4, 5)) == pytest.approx((0 + 3 + 5 + 4) / 4)

    def test_behind_the_camera(self) -> None:
        """A homography whose horizon crosses the picture has no corners to measure."""
        assert metrics.corner_error(np.array([[1, 0, 0], [0, 1, 0], [-0.01, 0, 1.0]]), np.eye(3), (640, 480)) == np.inf
        assert metrics.corner_error(np.zeros((3, 3)), np.eye(3), (640, 480)) == np.inf
        assert metrics.corner_error(np.full((3, 3), np.nan), np.eye(3), (640, 480)) == np.inf


class TestBootstrap:
    def test_objects_bring_all_their_photos(self) -> None:
        drawn_weights = metrics.resampled(["a", "a", "b", "c", "c"], resamples=50)
        assert drawn_weights.shape == (50, 5)
        assert (drawn_weights[:, 0] == drawn_weights[:, 1]).all()
        assert (drawn_weights[:, 3] == drawn_weights[:, 4]).all()
        assert (drawn_weights[:, 0] + drawn_weights[:, 2] + drawn_weights[:, 3] == 3).all()
        assert (drawn_weights == metrics.resampled(["a", "a", "b", "c", "c"], resamples=50)).all()

    def test_one_object_and_none(self) -> None:
        assert (metrics.resampled(["a", "a"], resamples=5) == 1).all()
        assert metrics.resampled([], resamples=5).shape == (5, 0)

    def test_names_that_end_in_zeros(self) -> None:
        """A name is compared whole."""
        assert len(np.unique(metrics.resampled(["a", "aé", "b" * 300], resamples=20), axis=0)) > 3

    def test_interval_of_a_share(self) -> None:
        """Of 400 independent photos, half of them right, the interval is that of the binomial distribution."""
        right = np.arange(400) % 2 == 0
        weights = metrics.resampled([str(i) for i in range(400)])
        low, high = metrics.interval(np.array([metrics.share(right, right | True, w) for w in weights]))
        assert low == pytest.approx(0.5 - 1.96 * 0.025, abs=0.006)
        assert high == pytest.approx(0.5 + 1.96 * 0.025, abs=0.006)

    def test_wider_by_object(self) -> None:
        """Ten photos of each object that agree tell as much as one: the interval is that of the objects."""
        right = np.repeat(np.arange(40) % 2 == 0, 10)
        widths = []
        for objects in ([str(i) for i in range(400)], [str(i // 10) for i in range(400)]):
            shares = [metrics.share(right, right | True, w) for w in metrics.resampled(objects)]
            low, high = metrics.interval(np.array(shares))
            widths.append(high - low)
        assert widths[1] / widths[0] == pytest.approx(math.sqrt(10), rel=0.15)

    def test_nothing(self) -> None:
        assert all(map(math.isnan, metrics.interval(np.full(9, np.nan))))


class TestMcNemar:
    def test_by_hand(self) -> None:
        """Eight photos only a has and two only b: 2 (1 + 10 + 45) / 1024."""
        a = np.array([True] * 8 + [False] * 2 + [True] * 5)
        b = np.array([False] * 8 + [True] * 2 + [True] * 5)
        assert metrics.mcnemar(a, b) == (8, 2, pytest.approx(112 / 1024))
        assert metrics.mcnemar(b, a) == (2, 8, pytest.approx(112 / 1024))
        assert metrics.mcnemar(a, a) == (0, 0, 1.0)
