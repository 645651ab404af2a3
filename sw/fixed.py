"""Networks whose integers are given, by a quantised file: a `QuantisedNetwork` in all but training."""

import torch
from torch import Tensor, nn

from gatewright.hw.config import Operator
from gatewright.sw.integer import IntegerLayer, IntegerNetwork
from gatewright.sw.modules import OperatorConv2d, QuantisedNetwork
from gatewright.sw.operators import arithmetic
from gatewright.sw.requantise import Folded, finish, pool


class FixedLayer(OperatorConv2d):
    """An integer layer; nothing in it is learned."""

    codes: Tensor
    bias: Tensor
    multiplier: Tensor
    shift: Tensor

    def __init__(self, given: IntegerLayer, following: Operator | None) -> None:
        nn.Module.__init__(self)  # without the parameters of a layer that learns
        self.layer, self.following = given.layer, following
        self.arithmetic = arithmetic(given.layer.operator)
        self.mode, self.low, self.high = given.mode, given.low, given.high
        self.handed = None
        for name, array in (("codes", given.weights), ("bias", given.bias), ("multiplier", given.multiplier), ("shift", given.shift)):
            self.register_buffer(name, torch.tensor(array))

    def quantised_weight(self) -> tuple[Tensor, Tensor]:
        """Codes and values [K, C / groups, R, S]."""
        codes = self.codes.float()
        return codes, codes

    def folded(self) -> Folded:
        """The integers of post-processing."""
        return Folded(bias=self.bias, multiplier=self.multiplier, shift=self.shift)

    def post_process(self, accumulated: Tensor) -> Tensor:
        """Accumulators [N, K, P, Q] to codes or logits, in training and evaluation alike."""
        return pool(self.layer, finish(self.mode, accumulated, accumulated, self.folded(), self.low, self.high))


class FixedNetwork(QuantisedNetwork):
    """An integer network as a module, in evaluation mode."""

    def __init__(self, given: IntegerNetwork) -> None:
        nn.Module.__init__(self)
        self.workload, self.begin = given.workload, None
        self.layers = nn.ModuleList(FixedLayer(layer, self.workload.following(i)) for i, layer in enumerate(given.layers))
        self.reads = [self._reads(i) for i in range(len(given.layers))]
        self.gathers = nn.ModuleList(read for reads in self.reads for read in reads)
        self.eval()
