"""Multiple-instance learning: classifiers of bags of instances, on padded bags with masks.

Every module takes instances (*B, N, D) and a mask (*B, N), and gives a `BagPrediction` with the
attention's logits and entropy beside the class logits. A padded bag gives what the bag without
padding gives.
"""

from infojax.nn.mil.attention_pooled import ABMIL, MHAMIL
from infojax.nn.mil.bags import Bucket, bucket_bags, bucket_size, pad_bags, subsample_instances
from infojax.nn.mil.branches import ACMIL
from infojax.nn.mil.critical_instances import DSMIL
from infojax.nn.mil.heat_maps import AttentionMaps, attention_maps
from infojax.nn.mil.pooled import MaxMIL, MeanMIL
from infojax.nn.mil.prediction import BagClassifier, BagPrediction
from infojax.nn.mil.torch_weights import load_torch_weights, torch_weights

__all__ = [  # noqa: RUF022 (acronyms would come first)
    "ABMIL",
    "ACMIL",
    "AttentionMaps",
    "BagClassifier",
    "BagPrediction",
    "Bucket",
    "DSMIL",
    "MHAMIL",
    "MaxMIL",
    "MeanMIL",
    "attention_maps",
    "bucket_bags",
    "bucket_size",
    "load_torch_weights",
    "pad_bags",
    "subsample_instances",
    "torch_weights",
]
