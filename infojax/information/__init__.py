"""Information of joint tables, capacity, rate-distortion and the information bottleneck."""

from infojax.information.bottleneck import (
    InformationBottleneck,
    information_bottleneck,
    information_bottleneck_curve,
)
from infojax.information.capacity import ChannelCapacity, channel_capacity
from infojax.information.joint_tables import (
    conditional_mutual_information,
    mutual_information,
    pointwise_mutual_information,
    variation_of_information,
)
from infojax.information.multivariate import (
    dual_total_correlation,
    interaction_information,
    o_information,
    total_correlation,
)
from infojax.information.normalized import (
    normalized_mutual_information,
    uncertainty_coefficient,
)
from infojax.information.rate_distortion import (
    RateDistortion,
    rate_distortion,
    rate_distortion_curve,
    rate_distortion_function,
)

__all__ = [
    "ChannelCapacity",
    "InformationBottleneck",
    "RateDistortion",
    "channel_capacity",
    "conditional_mutual_information",
    "dual_total_correlation",
    "information_bottleneck",
    "information_bottleneck_curve",
    "interaction_information",
    "mutual_information",
    "normalized_mutual_information",
    "o_information",
    "pointwise_mutual_information",
    "rate_distortion",
    "rate_distortion_curve",
    "rate_distortion_function",
    "total_correlation",
    "uncertainty_coefficient",
    "variation_of_information",
]
