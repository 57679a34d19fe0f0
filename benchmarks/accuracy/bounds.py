"""What a rate that was counted promises: exact bounds of a share, and thresholds that keep a stated risk."""

from __future__ import annotations

from scipy.stats import beta

CONFIDENCE = 0.95


def share_bounds(count: int, of: int, *, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Lower and upper bound of a share of which `count` cases were seen in `of` trials (Clopper & Pearson 1934), with
    half of 1 - confidence on either side; (0, 1) without trials."""
    if not of:
        return 0.0, 1.0
    tail = (1 - confidence) / 2
    low = float(beta.ppf(tail, count, of - count + 1)) if count else 0.0
    high = float(beta.ppf(1 - tail, count + 1, of - count)) if count < of else 1.0
    return low, high


def upper_bound(count: int, of: int, *, confidence: float = CONFIDENCE) -> float:
    """One-sided: with this confidence the share is not larger. 0 errors in n trials give about 3 / n at 95 %."""
    return float(beta.ppf(confidence, count + 1, of - count)) if count < of else 1.0


def most_errors(of: int, *, share: float, confidence: float = CONFIDENCE) -> int | None:
    """The most errors in `of` trials with which the share is at most `share` with this confidence; None where even no
    error at all would not show it: `fewest_trials` says how many it takes."""
    allowed = None
    for count in range(of):
        if upper_bound(count, of, confidence=confidence) > share:
            break
        allowed = count
    return allowed


def fewest_trials(*, share: float, confidence: float = CONFIDENCE) -> int:
    """Trials without any error that show that the share is at most `share`."""
    low, high = 1, 1
    while upper_bound(0, high, confidence=confidence) > share:
        low, high = high, 2 * high
    while low < high:
        middle = (low + high) // 2
        if upper_bound(0, middle, confidence=confidence) > share:
            low = middle + 1
        else:
            high = middle
    return high
