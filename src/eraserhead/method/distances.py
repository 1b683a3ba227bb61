"""How far vectors lie from a set of vectors, where each of the set is left out of its own (METHOD section 14)."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

ROUNDING = 1e-12  # of the mean variance; directions that vary less would divide by nothing
AT_ONCE = 1024  # vectors


@dataclass(frozen=True)
class Reference:
    """A set of vectors, with the mean and the shrunk covariance of all of them but any one.

    The covariance is ``(1 - shrinkage) S + shrinkage tr(S) / hidden I``, where S divides by the number of vectors
    (Ledoit & Wolf 2004). The shrinkage is that of all vectors; mean, S and its trace are those without the one left
    out, exactly: S changes by a matrix of rank one.

    Attributes:
        mean: Mean of all vectors.
        axes: Eigenvectors of S in columns.
        variances: Its eigenvalues.
        centred: The vectors less their mean, along the axes.
        shrinkage: Weight of the multiple of the identity, from 0 to 1.
    """

    mean: Float[np.ndarray, " hidden"]
    axes: Float[np.ndarray, "hidden hidden"]
    variances: Float[np.ndarray, " hidden"]
    centred: Float[np.ndarray, "vectors hidden"]
    shrinkage: float

    @classmethod
    def of(cls, vectors: Float[np.ndarray, "vectors hidden"], shrinkage: float) -> "Reference":
        """Take the axes of some vectors, at least three that are not all the same."""
        mean = vectors.mean(0)
        centred = vectors - mean
        variances, axes = np.linalg.eigh(centred.T @ centred / len(vectors))
        return cls(mean, axes, variances.clip(min=0.0), centred @ axes, shrinkage)

    def squared_distances(
        self, own: Int[np.ndarray, " rows"], vectors: Float[np.ndarray, "rows hidden"]
    ) -> Float[np.ndarray, " rows"]:
        """Return the squared Mahalanobis distance of each vector from all vectors of the set but number `own`."""
        others, hidden = len(self.centred) - 1, len(self.mean)
        left = self.centred[own]
        # Without c, the mean moves by -c / (m - 1), and S becomes m / (m - 1) (S - c c' / (m - 1)).
        moved = (vectors - self.mean) @ self.axes + left / others
        grown = (others + 1) / others
        traces = grown * (self.variances.sum() - (left**2).sum(1) / others)
        variances = (1 - self.shrinkage) * grown * self.variances + self.shrinkage * traces[:, None] / hidden
        variances = np.maximum(variances, ROUNDING * self.variances.mean())
        taken = (1 - self.shrinkage) * grown / others
        # Sherman & Morrison: the inverse of D - t c c' is D^-1 + t D^-1 c c' D^-1 / (1 - t c' D^-1 c).
        scaled = left / variances
        across = (moved * scaled).sum(1)
        without = np.maximum(1 - taken * (left * scaled).sum(1), ROUNDING)
        return (moved**2 / variances).sum(1) + taken * across**2 / without

    @cached_property
    def own_distances(self) -> Float[np.ndarray, " vectors"]:
        """The squared distance of each vector of the set from all others."""
        numbers = np.arange(len(self.centred))
        return self._in_chunks(numbers, self.centred @ self.axes.T + self.mean)

    def percentiles(
        self, own: Int[np.ndarray, " rows"], vectors: Float[np.ndarray, "rows hidden"]
    ) -> Float[np.ndarray, " rows"]:
        """Return for each vector what percentage of the set, number `own` apart, lies nearer to the rest of the set."""
        theirs, found = self.own_distances, self._in_chunks(own, vectors)
        nearer = np.searchsorted(np.sort(theirs), found) - (theirs[own] < found)
        return 100 * nearer / (len(theirs) - 1)

    def _in_chunks(
        self, own: Int[np.ndarray, " rows"], vectors: Float[np.ndarray, "rows hidden"]
    ) -> Float[np.ndarray, " rows"]:
        starts = range(0, len(own), AT_ONCE)
        chunks = [slice(start, start + AT_ONCE) for start in starts]
        return np.concatenate([np.empty(0), *(self.squared_distances(own[each], vectors[each]) for each in chunks)])
