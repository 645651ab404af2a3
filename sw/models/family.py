"""What a family of networks is: how it is written down over operator layers, and which fields of an `Architecture` it heeds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewright.hw.config import Operator
from gatewright.hw.errors import BadInput
from gatewright.sw.graph import Graph, Value
from gatewright.sw.layers import Pooling

if TYPE_CHECKING:
    from gatewright.sw.integer import IntegerNetwork
    from gatewright.sw.models.architecture import Architecture
    from gatewright.sw.modules import QuantisedNetwork


class Layers:
    """Operator layers of a graph: each takes the next of an architecture's operators, or the only one. `names` lists them."""

    def __init__(self, graph: Graph, operators: tuple[Operator, ...]) -> None:
        self.graph, self.operators = graph, operators
        self.names: list[str] = []

    def conv(
        self, x: Value, outputs: int, kernel: int, name: str, *, stride: int = 1, padding: int = 0, groups: int = 1, relu: bool = False
    ) -> Value:
        """A convolution with a square kernel."""
        return self.graph.conv(x, outputs, kernel, self._next(name), name, stride=stride, padding=padding, groups=groups, relu=relu)

    def depthwise(self, x: Value, name: str, *, stride: int = 1, relu: bool = False) -> Value:
        """A 3 x 3 depthwise convolution with padding 1."""
        return self.conv(x, x.channels, 3, name, stride=stride, padding=1, groups=x.channels, relu=relu)

    def dense(self, x: Value, outputs: int, name: str, *, relu: bool = False) -> Value:
        """A fully connected layer over the whole map."""
        return self.graph.dense(x, outputs, self._next(name), name, relu=relu)

    def global_average(self, x: Value) -> Value:
        """The average of a square map, in steps of at most 8 x 8 as the accelerator pools."""
        while x.height * x.width > 1:
            window = next((size for size in range(8, 1, -1) if x.height == x.width and x.height % size == 0), 0)
            if not window:
                raise BadInput(f"A global average is made in squares of at most 8 x 8; a map of {x.height} x {x.width} has no such.")
            x = self.graph.pool(x, "average", window, window, f"pool{x.height}")
        return x

    def _next(self, name: str) -> Operator:
        self.names.append(name)
        return self.operators[min(len(self.names), len(self.operators)) - 1]


Build = Callable[["Architecture", Layers], Value]
Initial = Callable[["Architecture", Graph, "QuantisedNetwork"], None]
Integers = Callable[["Architecture"], "IntegerNetwork | None"]


@dataclass(frozen=True, kw_only=True)
class Family:
    """build: writes the network on `layers` and gives its logits.

    widths: the published ones, whose number is fixed; None: any number of widths, as the architecture says.
    scales: heeds `multiplier`, one of `multipliers` if there are such. pools: heeds `pooling`.
    operators: those of the layers where an architecture names none.
    imported: made from `source`. initial: puts the weights that training starts from into a new network; it gets the finished graph
    for its `orders`. integers: where the source is quantised, its integer network, which is not trained; None for one to train.
    """

    build: Build
    widths: tuple[int, ...] | None = None
    scales: bool = False
    multipliers: tuple[float, ...] = ()
    pools: bool = False
    operators: tuple[Operator, ...] | None = None
    imported: bool = False
    initial: Initial | None = None
    integers: Integers | None = None


def widths(architecture: "Architecture", published: tuple[int, ...]) -> tuple[int, ...]:
    """The architecture's widths, or the published ones times its multiplier."""
    by = architecture.multiplier
    return architecture.widths or tuple(width if by == 1 else divisible(width * by) for width in published)


def one_pooling(architecture: "Architecture") -> Pooling:
    """The architecture's pooling, which is one word but in a vgg."""
    return architecture.pooling if isinstance(architecture.pooling, str) else architecture.pooling[0]


def divisible(width: float, by: int = 8) -> int:
    """The nearest multiple of 8, at least 8 and at least nine tenths of `width` (the rule of MobileNet's authors)."""
    near = max(by, int(width + by / 2) // by * by)
    return near + by if near < 0.9 * width else near
