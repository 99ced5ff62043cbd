"""Where a prefix of a row, sorted by falling score, ends: by count, by mass or by entropy."""

from infojax.kernels.sorted_prefix.api import PrefixCut, sorted_prefix
from infojax.kernels.sorted_prefix.largest import largest

__all__ = ["PrefixCut", "largest", "sorted_prefix"]
