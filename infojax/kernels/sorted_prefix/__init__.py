"""Where a prefix of a row, sorted by falling score, ends: by count, by mass or by entropy."""

from infojax.kernels.sorted_prefix.api import PrefixCut, sorted_prefix

__all__ = ["PrefixCut", "sorted_prefix"]
