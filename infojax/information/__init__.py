"""Information of joint tables, capacity, rate-distortion and the information bottleneck."""

from infojax.information.binning import (
    binned_entropy,
    binned_mutual_information,
    discretize,
)
from infojax.information.bottleneck import (
    InformationBottleneck,
    information_bottleneck,
    information_bottleneck_curve,
)
from infojax.information.capacity import ChannelCapacity, channel_capacity
from infojax.information.copulas import (
    copula_transform,
    gaussian_copula_conditional_mutual_information,
    gaussian_copula_mutual_information,
)
from infojax.information.distance_dependence import distance_correlation
from infojax.information.independence_test import hsic_test
from infojax.information.jensen_shannon_bounds import (
    jensen_shannon_bound,
    jensen_shannon_nwj_bound,
    smile_bound,
)
from infojax.information.joint_tables import (
    conditional_mutual_information,
    mutual_information,
    pointwise_mutual_information,
    variation_of_information,
)
from infojax.information.kernel_densities import (
    kernel_density_entropy,
    kernel_density_quadratic_entropy,
)
from infojax.information.kernel_independence import (
    cauchy_schwarz_mutual_information,
    centered_kernel_alignment,
    hsic,
)
from infojax.information.ksg import (
    ksg_conditional_mutual_information,
    ksg_mutual_information,
)
from infojax.information.local_nonuniformity import local_nonuniformity_mutual_information
from infojax.information.mixed_neighbors import (
    discrete_continuous_mutual_information,
    mixed_mutual_information,
)
from infojax.information.multivariate import (
    dual_total_correlation,
    interaction_information,
    o_information,
    total_correlation,
)
from infojax.information.nearest_neighbor_entropy import (
    jitter,
    kozachenko_leonenko_entropy,
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
from infojax.information.resampling import (
    ResampledEstimate,
    bootstrap,
    jackknife,
    subsample_interval,
)
from infojax.information.transfer_entropy import (
    directed_information,
    directed_information_from_symbols,
    transfer_entropy,
    transfer_entropy_from_symbols,
)
from infojax.information.variational_bounds import (
    donsker_varadhan_bound,
    info_nce_bound,
    interpolated_bound,
    mine_bound,
    nwj_bound,
)
from infojax.information.variational_upper_bounds import club_bound, leave_one_out_bound

__all__ = [
    "ChannelCapacity",
    "InformationBottleneck",
    "RateDistortion",
    "ResampledEstimate",
    "binned_entropy",
    "binned_mutual_information",
    "bootstrap",
    "cauchy_schwarz_mutual_information",
    "centered_kernel_alignment",
    "channel_capacity",
    "club_bound",
    "conditional_mutual_information",
    "copula_transform",
    "directed_information",
    "directed_information_from_symbols",
    "discrete_continuous_mutual_information",
    "discretize",
    "distance_correlation",
    "donsker_varadhan_bound",
    "dual_total_correlation",
    "gaussian_copula_conditional_mutual_information",
    "gaussian_copula_mutual_information",
    "hsic",
    "hsic_test",
    "info_nce_bound",
    "information_bottleneck",
    "information_bottleneck_curve",
    "interaction_information",
    "interpolated_bound",
    "jackknife",
    "jensen_shannon_bound",
    "jensen_shannon_nwj_bound",
    "jitter",
    "kernel_density_entropy",
    "kernel_density_quadratic_entropy",
    "kozachenko_leonenko_entropy",
    "ksg_conditional_mutual_information",
    "ksg_mutual_information",
    "leave_one_out_bound",
    "local_nonuniformity_mutual_information",
    "mine_bound",
    "mixed_mutual_information",
    "mutual_information",
    "normalized_mutual_information",
    "nwj_bound",
    "o_information",
    "pointwise_mutual_information",
    "rate_distortion",
    "rate_distortion_curve",
    "rate_distortion_function",
    "smile_bound",
    "subsample_interval",
    "total_correlation",
    "transfer_entropy",
    "transfer_entropy_from_symbols",
    "uncertainty_coefficient",
    "variation_of_information",
]
