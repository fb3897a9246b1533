"""One estimate, its standard error and its degrees of freedom: an interval and tests by the t law."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import t

from nnunet_skipx.statistics.estimate import COVERAGE, ROUNDING


@dataclass(frozen=True)
class TLaw:
    """A value that scatters; without an error, or degrees of freedom, nothing is known of its scatter.

    >>> law = TLaw.of_mean(np.array([0.01, 0.02, 0.03]))
    >>> round(law.value, 3), [round(end, 3) for end in law.interval()], round(law.p(), 3)
    (0.02, [-0.005, 0.045], 0.074)
    """

    value: float
    error: float = float("nan")
    freedom: float = float("nan")

    @classmethod
    def of_mean(cls, values: np.ndarray) -> "TLaw":
        """The mean of two values or more, `(n,)`."""
        error = float(values.std(ddof=1)) / len(values) ** 0.5
        return cls(float(values.mean()), error if error > ROUNDING else float("nan"), len(values) - 1)

    @classmethod
    def between(cls, first: np.ndarray, second: np.ndarray) -> "TLaw":
        """The difference of two means with variances of their own (Welch 1947), `(n,)` and `(m,)`, two or more each."""
        parts = [float(side.var(ddof=1)) / len(side) for side in (first, second)]
        value = float(first.mean() - second.mean())
        if sum(parts) <= ROUNDING**2:
            return cls(value)
        of_variance = sum(part**2 / (len(side) - 1) for part, side in zip(parts, (first, second), strict=True))
        return cls(value, sum(parts) ** 0.5, sum(parts) ** 2 / of_variance)

    def interval(self, coverage: float = COVERAGE) -> tuple[float, float]:
        """Two-sided confidence interval."""
        half = float(t.ppf((1 + coverage) / 2, self.freedom)) * self.error
        return self.value - half, self.value + half

    def p(self) -> float:
        """Two-sided, that the value is 0."""
        return 2 * float(t.sf(abs(self.value) / self.error, self.freedom))

    def p_outside(self, rope: float) -> float:
        """That it is not between -rope and rope: the larger of two one-sided tests."""
        return float(t.sf((rope - abs(self.value)) / self.error, self.freedom))
