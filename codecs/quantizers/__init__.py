"""Quantizers: continuous features `[B, D, N]` to codes `[B, K, N]` and back, all behind one interface (`base`).

VectorQuantizer         one codebook that learns by averages (WavTokenizer)
SimVectorQuantizer      one frozen codebook behind a learnt linear map (SimVQ)
PartitionedSimQuantizer the same, a part of it for each domain (UniCodec)
ResidualQuantizer       stages in a chain, each for what the last left over (SoundStream, EnCodec, DAC)
GroupedQuantizer        channels in groups, each with its own tokens (HiFi-Codec)
ProductQuantizer        channels in parts that make one token together
MultiScaleQuantizer     residual stages at rising frame rates (SNAC)
FiniteScalarQuantizer   channels rounded to levels, residually if wished (FSQ, TAAE)
KMeansQuantizer         fixed centroids of given features (HuBERT units)
"""

from .base import Quantized, Quantizer
from .finite_scalar import FiniteScalarQuantizer
from .grouped import GroupedQuantizer
from .k_means import KMeansQuantizer, k_means
from .multi_scale import MultiScaleQuantizer, PooledQuantizer
from .partitioned import PartitionedSimQuantizer
from .product import ProductQuantizer
from .residual import ResidualQuantizer
from .sim import SimVectorQuantizer
from .vector import VectorQuantizer

__all__ = [
    "FiniteScalarQuantizer",
    "GroupedQuantizer",
    "KMeansQuantizer",
    "MultiScaleQuantizer",
    "PartitionedSimQuantizer",
    "PooledQuantizer",
    "ProductQuantizer",
    "Quantized",
    "Quantizer",
    "ResidualQuantizer",
    "SimVectorQuantizer",
    "VectorQuantizer",
    "k_means",
]
