"""What accelerators could do at best, from their makers' data sheets."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Peak:
    """Peaks of one chip.

    Attributes:
        bandwidth: of its memory, bytes a second.
        flops: bfloat16 operations a second.
    """

    bandwidth: float
    flops: float

    def seconds(self, moved: float, operations: float) -> float:
        """The least time for bytes moved and operations done, the slower of the two."""
        return max(moved / self.bandwidth, operations / self.flops)


TPU_PEAKS = {
    "v4:2x2x1": Peak(1.228e12, 275e12),
    "v5e:2x2": Peak(0.819e12, 197e12),
    "v5p:2x2x1": Peak(2.765e12, 459e12),
    "v6e:2x2": Peak(1.640e12, 918e12),
    "tpu7x:2x2x1": Peak(7.37e12, 2307e12),
}
