"""From a graph's nodes to layers that the accelerator can run: who reads which maps, in which format, and what must be copied first.

A layer reads one map, or as a 1 x 1 convolution several maps of equally many channels, in any order of channels, and needs not read all of
them if its operator has a weight that adds nothing. A depthwise layer becomes one for each map it reads. For anything else the layers
before write into one map together, or, where others read them too, layers of unit weights copy into one. A map has one format, for all
who read it; who wants another reads a converted copy. Pooling is done by the layers whose results it takes, where nothing else reads these.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from gatewright.hw.config import Operator
from gatewright.hw.errors import BadInput
from gatewright.sw.layers import IMAGE, Layer
from gatewright.sw.operators import arithmetic

if TYPE_CHECKING:
    from gatewright.sw.graph import Node


class Format(NamedTuple):
    """What a map's codes are: bits, bits of a lane, whether there is a sign."""

    bits: int
    width: int
    signed: bool

    @classmethod
    def of(cls, operator: Operator) -> "Format":
        return cls(operator.activation_bits, operator.activation_width, operator.activation_signed)

    def __str__(self) -> str:
        return f"{self.bits}{'s' * self.signed}" if self.bits > 1 else "sign"


class Place(NamedTuple):
    """A channel of a map."""

    map: str
    channel: int


@dataclass
class Draft:
    """A layer with its reads; `flexible`: its operator follows the format of what it reads."""

    layer: Layer
    flexible: bool = False


@dataclass
class Joint:
    """A map under construction: its channels so far, whether it lies in one piece (one layer writes it)."""

    channels: int = 0
    writers: list[str] = field(default_factory=list)


def _part(name: str, i: int, parts: int) -> dict[str, str]:
    """Name and output of one of several layers that write one map."""
    return {"name": f"{name}.{i}", "output": name} if parts > 1 else {"name": name}


def _by_map(read: list[Place]) -> dict[str, list[int]]:
    """Which of the places lie in each map."""
    found: dict[str, list[int]] = {}
    for c, place in enumerate(read):
        found.setdefault(place.map, []).append(c)
    return found


def copying(operator: Operator, channels: int, height: int, width: int, **fields: Any) -> Layer:
    """A layer that hands channels on, each by a weight of 1; it may pool or convert them."""
    sizes = {"C": channels, "K": channels, "groups": channels, "H": height, "W": width}
    return Layer(operator=operator, **sizes, unit_weights=True, **fields)


class Legaliser:
    """One use: `layers()`."""

    def __init__(self, join: Operator, nodes: "list[Node]", last: int) -> None:
        self.join, self.nodes, self.last = join, nodes, last
        self.needed = self._needed()
        self.drafts: list[Draft] = []
        self.maps: dict[str, Joint] = {IMAGE: Joint(nodes[0].channels, [IMAGE])}
        self.places: dict[tuple[int, int], Place] = {(0, c): Place(IMAGE, c) for c in range(nodes[0].channels)}
        self.orders: dict[str, tuple[int, ...]] = {}

    def layers(self) -> tuple[Layer, ...]:
        """All layers in order."""
        for number in sorted(self.needed - {0}, key=lambda n: (n == self.last, n)):
            self._node(number, self.nodes[number])
        return tuple(self._convert())

    def _needed(self) -> set[int]:
        needed, queue = {self.last}, [self.last]
        while queue:
            for value in self.nodes[queue.pop()].values:
                queue += [n for n in value.nodes if n not in needed]
                needed |= {*value.nodes}
        if 0 not in needed:
            raise BadInput("The results do not depend on the image.")
        read = {c for n in needed for value in self.nodes[n].values for node, c in value.places if node == 0}
        if (count := max(read) + 1) < self.nodes[0].channels:  # a workload knows its image by what reads it
            raise BadInput(f"Nothing reads the image's channels from {count} on: give the network an image of {count} channels.")
        return needed

    def _readers(self, node: int) -> list[int]:
        return [r for r in self.nodes[node].readers if r in self.needed]

    # Structure: drafts of layers, each with the maps it reads.

    def _node(self, number: int, node: "Node") -> None:
        layer = node.layer
        assert layer is not None
        if node.moves and self._pooled_before(number, node):
            self.places |= {(number, k): self.places[place] for k, place in enumerate(node.values[0].places)}
            return
        pool = next(
            (self.nodes[r].layer for r in self._readers(number) if self.nodes[r].moves and self._pooled_before(r, self.nodes[r])), None
        )
        if pool is not None and not node.moves:
            layer = layer.replace(pooling=pool.pooling, pool_window=pool.pool_window, pool_stride=pool.pool_stride)
        read = [[self.places[place] for place in value.places] for value in node.values]
        if len(read) == 2:
            self._sum(number, layer, *read)
        elif layer.groups == layer.C and (layer.C > 1 or node.moves):
            self._depthwise(number, layer, read[0], node.moves)
        else:
            self._dense(number, layer, read[0])

    def _pooled_before(self, number: int, node: "Node") -> bool:
        """Whether the layers that a pooling reads can do it: they give nothing else, do not pool yet, and are read by nothing else."""
        layer = node.layer
        assert layer is not None
        if layer.pooling is None or number == self.last:
            return False
        value = node.values[0]
        whole = {(n, k) for n in value.nodes for k in range(self.nodes[n].channels)}
        makers = [self.nodes[n] for n in value.nodes]
        computing = all(m.layer is not None and not m.moves for m in makers)
        return computing and whole == {*value.places} and all(self._readers(n) == [number] for n in value.nodes)

    def _emit(self, layer: Layer, read: list[Place], order: Iterable[tuple[int, int]] = (), flexible: bool = False) -> None:
        """Draft a layer that reads `read`; `order`: of each of its results the node's channel it is."""
        inputs = tuple(dict.fromkeys(place.map for place in read))
        starts, total = {}, 0
        for name in inputs:
            starts[name], total = total, total + self.maps[name].channels
        gather = tuple(starts[place.map] + place.channel for place in read)
        whole = gather == tuple(range(total))
        layer = layer.replace(inputs=inputs, gather=() if whole else gather)
        self.drafts.append(Draft(layer, flexible))
        target = layer.output or layer.name
        into = self.maps.setdefault(target, Joint())
        self.orders[layer.name] = tuple(k for _, k in order)
        for k, place in enumerate(order):
            self.places[place] = Place(target, into.channels + k)
        into.channels += layer.K
        into.writers.append(layer.name)

    def _sum(self, number: int, layer: Layer, a: list[Place], b: list[Place]) -> None:
        """One layer for each pair of maps, its channels in the order of the first; the results' in their own order, by one layer.

        A lane has one weight for a sum, so a map that is added to itself is copied.
        """
        pairs: dict[tuple[str, str], list[int]] = {}
        for k, (x, y) in enumerate(zip(a, b, strict=True)):
            pairs.setdefault((x.map, y.map), []).append(k)
        last = number == self.last
        if not all(x != y and self._alike((x, y)) for x, y in pairs) or (last and len(pairs) > 1):
            a, b = (self._in_one(layer, side, f"{layer.name}.{which}") for side, which in ((a, "first"), (b, "second")))
            pairs = {(a[0].map, b[0].map): list(range(len(a)))}
        for i, channels in enumerate(pairs.values()):
            order = channels if last else sorted(channels, key=lambda k: a[k])
            part = layer.replace(**_part(layer.name, i, len(pairs)), C=2 * len(order), K=len(order), groups=len(order))
            self._emit(part, [place for k in order for place in (a[k], b[k])], [(number, k) for k in order])

    def _depthwise(self, number: int, layer: Layer, read: list[Place], flexible: bool) -> None:
        """One layer for each map, its channels in the map's order; a copy of several alike maps is one layer that reads all.

        The results' are in their own order, by one layer.
        """
        last = number == self.last
        if last and len({place.map for place in read}) > 1:
            read = self._in_one(layer, read, f"{layer.name}.input")
        by_map = _by_map(read)
        if flexible and self._alike(by_map) and layer.pooling is None:
            self._emit(layer, read, [(number, k) for k in range(layer.K)], flexible)
            return
        each = layer.K // layer.C
        for i, channels in enumerate(by_map.values()):
            order = channels if last else sorted(channels, key=lambda c: read[c])
            part = layer.replace(**_part(layer.name, i, len(by_map)), C=len(order), K=len(order) * each, groups=len(order))
            self._emit(part, [read[c] for c in order], [(number, c * each + j) for c in order for j in range(each)], flexible)

    def _dense(self, number: int, layer: Layer, read: list[Place]) -> None:
        maps = {place.map for place in read}
        kind = arithmetic(layer.operator)
        silent = not kind.table[:, kind.unused_weight_bits].any()
        complete = len({*read}) == len(read) == sum(self.maps[name].channels for name in maps)
        silent &= len({*read}) == len(read)  # a channel has one lane
        if kind.lane_period > 1 or kind.joined_lanes > 1:  # the lanes differ
            ordered = (
                read == [Place(read[0].map, k) for k in range(self.maps[read[0].map].channels)] and len(self.maps[read[0].map].writers) == 1
            )
            silent, complete = False, ordered
        several = layer.R == layer.S == 1 and layer.groups == 1 and self._alike(maps)
        if not (silent or complete) or (len(maps) > 1 and not several):
            alone = all(self._readers(n) == [number] for value in self.nodes[number].values for n in value.nodes)
            alone &= all(len(self.maps[name].writers) == 1 for name in maps)
            name = f"{layer.name}.input"
            read = self._merged(read, name) if complete and alone and IMAGE not in maps else self._copied(layer, read, name)
        self._emit(layer, read, [(number, k) for k in range(layer.K)])

    def _alike(self, maps: Iterable[str]) -> bool:
        """Whether maps can be read side by side: each written by one layer, all of equally many channels."""
        found = [self.maps[name] for name in dict.fromkeys(maps)]
        return len(found) == 1 or (all(len(m.writers) == 1 for m in found) and len({m.channels for m in found}) == 1)

    def _merged(self, read: list[Place], name: str) -> list[Place]:
        """The places in one new map that the layers before write together instead of their own."""
        merged, maps, starts = Joint(), {place.map for place in read}, dict[str, int]()
        for draft in self.drafts:
            layer = draft.layer
            if (target := layer.output or layer.name) in maps:
                starts.setdefault(target, merged.channels)
                draft.layer = layer.replace(output=name)
                merged.channels += layer.K
                merged.writers.append(layer.name)
        self.maps[name] = merged
        return [Place(name, starts[place.map] + place.channel) for place in read]

    def _in_one(self, layer: Layer, read: list[Place], name: str) -> list[Place]:
        """Copies of the channels in one new map that one layer writes."""
        copies = self._copied(layer, read, name)
        return copies if len(self.maps[name].writers) == 1 else self._copied(layer, copies, f"{name}.whole")

    def _copied(self, layer: Layer, read: list[Place], name: str) -> list[Place]:
        """Copies of the channels in one new map: map by map, each in its own words, or all at once where the maps are alike."""
        by_map = _by_map(read)
        parts = [list(range(len(read)))] if self._alike(by_map) else list(by_map.values())
        copies: dict[int, Place] = {}
        for i, channels in enumerate(parts):
            start = self.maps[name].channels if name in self.maps else 0
            copy = copying(self.join, len(channels), layer.H, layer.W, **_part(name, i, len(parts)))
            self._emit(copy, [read[c] for c in channels], flexible=True)
            copies |= {c: Place(name, start + k) for k, c in enumerate(channels)}
        return [copies[c] for c in range(len(read))]

    # Formats: one for each map, conversions for those who want another.

    def _formats(self) -> dict[str, Format]:
        """The format of every map that is read: the sums' if a sum reads it, else that of all its readers, else the widest."""
        wanted: dict[str, set[Format]] = {name: set() for name in self.maps}
        moved = {name for draft in self.drafts if draft.flexible for name in draft.layer.inputs}
        for draft in self.drafts:
            if not draft.flexible:
                for name in draft.layer.inputs:
                    wanted[name].add(Format.of(draft.layer.operator))
        join, found = Format.of(self.join), {}
        for name, formats in wanted.items():
            widest = max(formats, default=join)
            found[name] = join if join in formats or (name in moved and widest.bits == 1) else widest
        for draft in self.drafts:  # what is copied together has one format
            if draft.flexible and len({found[name] for name in draft.layer.inputs}) > 1:
                found |= dict.fromkeys(draft.layer.inputs, join)
        return found

    def _convert(self) -> Iterable[Layer]:
        formats, sizes = self._formats(), {d.layer.output or d.layer.name: (d.layer.out_h, d.layer.out_w) for d in self.drafts}
        converted: dict[tuple[str, Format], str] = {}
        for draft in self.drafts:
            layer = draft.layer
            if draft.flexible:
                layer = layer.replace(operator=self._mover(formats[layer.inputs[0]]))
            wants, inputs = Format.of(layer.operator), []
            for name in layer.inputs:
                if formats[name] == wants:
                    inputs.append(name)
                    continue
                if (name, wants) not in converted:
                    converted[name, wants] = f"{name}.{wants}"
                    channels, (h, w) = self.maps[name].channels, sizes.get(name, (layer.H, layer.W))
                    yield copying(self._mover(formats[name]), channels, h, w, name=f"{name}.{wants}", inputs=(name,))
                inputs.append(converted[name, wants])
            yield layer.replace(inputs=tuple(inputs))

    def _mover(self, read: Format) -> Operator:
        """The operator of a layer that copies or converts codes of a format."""
        if read == Format.of(self.join):
            return self.join
        return self.join.replace(weight_bits=read.width, activation_bits=read.bits, activation_signed=read.signed)
