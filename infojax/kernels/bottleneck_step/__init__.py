"""One step of the coupling with a bottleneck: code masses, coupling and entropies in one pass."""

from infojax.kernels.bottleneck_step.api import BottleneckStep, bottleneck_step

__all__ = ["BottleneckStep", "bottleneck_step"]
