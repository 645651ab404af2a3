"""Networks written as graphs of convolutions, sums and channel views: `Graph` builds one, `finish` makes it a legal `Workload`.

Concatenation, channel shuffle and slices move no data: a `Value` only names, channel by channel, whose result it is. What a layer cannot
read as it lies (sw/legalise.py has the rules) is copied by layers of unit weights, on the grid and priced like every other layer.
"""

from dataclasses import dataclass, field

from gatewright.hw.config import Operator, integer
from gatewright.hw.errors import BadInput
from gatewright.sw.layers import Layer, Pooling, Workload
from gatewright.sw.legalise import Legaliser, copying

JOIN = integer(8, signed=True)
Channel = tuple[int, int]  # the number of a node (the image is number 0) and of its channel


@dataclass(frozen=True)
class Value:
    """Channels x height x width of a network: of every channel the node it comes from, and its number there."""

    places: tuple[Channel, ...]
    height: int
    width: int

    @property
    def channels(self) -> int:
        return len(self.places)

    @property
    def nodes(self) -> tuple[int, ...]:
        """The nodes it comes from, by first appearance."""
        return tuple(dict.fromkeys(node for node, _ in self.places))


@dataclass
class Node:
    """What computes: a convolution or sum as `layer` says (its inputs and gather not yet filled in), reading `values` side by side.

    The image has no layer. `moves`: the layer only pools or copies.
    """

    layer: Layer | None
    values: tuple[Value, ...] = ()
    moves: bool = False
    channels: int = 0
    readers: list[int] = field(default_factory=list)


class Graph:
    """A network under construction. Methods take and give `Value`s and raise BadInput where shapes do not fit.

    join: the operator of sums, copies and poolings that no layer takes over; its activations are the format of what they read.
    orders: after `finish`, by the name of a layer, which of the results named in `conv` or `add` each of its channels is.
    """

    def __init__(self, join: Operator = JOIN) -> None:
        if join.kind != "int":
            raise BadInput(f"The operator of sums and copies must be of kind 'int', which has the weight 1; got {join.name}.")
        self.join = join
        self.nodes: list[Node] = []
        self.orders: dict[str, tuple[int, ...]] = {}

    def image(self, channels: int, height: int, width: int) -> Value:
        """The network's input; called once, first."""
        if self.nodes:
            raise BadInput("A network has one image, and it comes first.")
        self.nodes.append(Node(None, channels=channels))
        return Value(tuple((0, c) for c in range(channels)), height, width)

    def conv(
        self,
        x: Value,
        outputs: int,
        kernel: int | tuple[int, int],
        operator: Operator,
        name: str,
        *,
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
        relu: bool = False,
    ) -> Value:
        """A convolution with a square or (R, S) kernel."""
        r, s = (kernel, kernel) if isinstance(kernel, int) else kernel
        shape = {"C": x.channels, "K": outputs, "H": x.height, "W": x.width, "R": r, "S": s}
        layer = Layer(name=name, operator=operator, **shape, stride=stride, padding=padding, groups=groups, relu=relu)
        return self._node(layer, (x,))

    def dense(self, x: Value, outputs: int, operator: Operator, name: str, *, relu: bool = False) -> Value:
        """A fully connected layer: a kernel that covers the whole map."""
        return self.conv(x, outputs, (x.height, x.width), operator, name, relu=relu)

    def add(self, a: Value, b: Value, name: str, *, relu: bool = False) -> Value:
        """The sum of two values of one shape."""
        if (a.channels, a.height, a.width) != (b.channels, b.height, b.width):
            shapes = " and ".join(f"{v.channels} x {v.height} x {v.width}" for v in (a, b))
            raise BadInput(f"The sum {name} needs two values of one shape (C x H x W); got {shapes}.")
        sizes = {"C": 2 * a.channels, "K": a.channels, "groups": a.channels, "H": a.height, "W": a.width}
        return self._node(Layer(name=name, operator=self.join, **sizes, unit_weights=True, relu=relu), (a, b), moves=False)

    def concat(self, values: list[Value]) -> Value:
        """Channels of values of one size one after the other."""
        if len({(v.height, v.width) for v in values}) != 1:
            raise BadInput(f"A concatenation needs values of one size (H x W); got {[f'{v.height} x {v.width}' for v in values]}.")
        return Value(tuple(place for v in values for place in v.places), values[0].height, values[0].width)

    def channels(self, x: Value, start: int, stop: int) -> Value:
        """Channels start to stop - 1."""
        if not 0 <= start < stop <= x.channels:
            raise BadInput(f"Channels {start}..{stop - 1} of a value of {x.channels} do not exist.")
        return Value(x.places[start:stop], x.height, x.width)

    def shuffle(self, x: Value, groups: int) -> Value:
        """Channel shuffle (ShuffleNet, arXiv 1707.01083): channel (g, i) of `groups` groups becomes (i, g)."""
        if x.channels % groups:
            raise BadInput(f"A channel shuffle's groups must divide its {x.channels} channels; got {groups}.")
        size = x.channels // groups
        return Value(tuple(x.places[g * size + i] for i in range(size) for g in range(groups)), x.height, x.width)

    def pool(self, x: Value, pooling: Pooling, window: int, stride: int, name: str) -> Value:
        """Pooling without padding. The layers that make `x` take it over where nothing else reads them."""
        return self._move(x, name, pooling=pooling, pool_window=window, pool_stride=stride)

    def gather(self, x: Value, name: str) -> Value:
        """The same channels, copied into one map: shortens what later layers would read piece by piece."""
        return self._move(x, name)

    def relu(self, x: Value, name: str) -> Value:
        """Zero for negative values, as a copy; a convolution or sum that nothing else reads does it by itself with `relu`."""
        return self._move(x, name, relu=True)

    def _move(self, x: Value, name: str, **fields: object) -> Value:
        return self._node(copying(self.join, x.channels, x.height, x.width, name=name, **fields), (x,), moves=True)

    def _node(self, layer: Layer, values: tuple[Value, ...], moves: bool = False) -> Value:
        number = len(self.nodes)
        for node in dict.fromkeys(n for v in values for n in v.nodes):
            self.nodes[node].readers.append(number)
        self.nodes.append(Node(layer, values, moves, layer.K))
        return Value(tuple((number, k) for k in range(layer.K)), layer.out_h, layer.out_w)

    def finish(self, logits: Value, name: str) -> Workload:
        """The workload whose last layer gives `logits`. Nodes that nothing reads are left out."""
        if not self.nodes or not logits.places:
            raise BadInput("A network needs an image and a result.")
        if len(logits.nodes) > 1 or logits.places != tuple((logits.nodes[0], k) for k in range(self.nodes[logits.nodes[0]].channels)):
            raise BadInput(
                f"The results of {name} must be one layer's, whole and in order; end with a convolution or a fully connected layer."
            )
        legaliser = Legaliser(self.join, self.nodes, logits.nodes[0])
        work = Workload(name=name, layers=legaliser.layers())
        self.orders = legaliser.orders
        return work
