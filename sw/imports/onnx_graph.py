"""Networks from ONNX files: `read` gives an `OnnxNetwork`, in floating point and, of a quantised graph (QDQ), with its scales.

The graph is walked once in its order. What is constant is computed by the package's reference; what comes from the image is followed
element by element (sw/imports/arrangement.py), so that flattening, slices and channel shuffles may be written in any way.
"""

from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gatewright.hw.errors import BadInput, Missing
from gatewright.sw.imports.arrangement import Arrangement, NotAMap, Shape
from gatewright.sw.imports.calls import Call, Elements
from gatewright.sw.imports.fold import folded
from gatewright.sw.imports.network import IMAGE, FloatNetwork
from gatewright.sw.imports.onnx_grids import Grid, WeightScale
from gatewright.sw.imports.onnx_node import Constant, Node, Tensor
from gatewright.sw.imports.onnx_operations import INSTEAD, OPERATIONS

if TYPE_CHECKING:
    import onnx

INSTALL = "ONNX files are read with the package onnx, which is not installed: pip install 'gatewright[onnx]'."
ON_CONSTANTS = ("QuantizeLinear", "DequantizeLinear", "Transpose")  # done here also where all is constant, to keep scales
FLOATS = ("FLOAT", "FLOAT16", "DOUBLE", "BFLOAT16")


@dataclass(frozen=True, eq=False)
class OnnxNetwork:
    """network: in floating point, with the reals that codes stand for. Both others are empty where the file is not quantised.

    grids: the codes of the values that QuantizeLinear rounds, by value. scales: those of weights, by the value of their step.
    """

    network: FloatNetwork
    grids: dict[str, Grid]
    scales: dict[str, WeightScale]

    @property
    def quantised(self) -> bool:
        """Whether the file gives integers, so that nothing needs to be trained."""
        return bool(self.grids)


def read(path: str | Path, shape: Shape | None = None) -> OnnxNetwork:
    """The network in an ONNX file. `shape`: channels, height and width of its images, needed where the graph takes flat ones.

    Raises BadInput for a damaged file and, naming the node, for what the datapath does not have; Missing without the package onnx.
    """
    onnx = library()
    path = Path(path)
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model, full_check=True)
    except FileNotFoundError:
        raise BadInput(f"There is no ONNX file {path}.") from None
    except Exception as error:  # protobuf's, the checker's and shape inference's errors have no common base
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise BadInput(f"{path} is not a valid ONNX file ({lines[0]}). Export it again.") from None
    try:
        return Reader(model).network(path.stem, shape)
    except BadInput as error:
        raise BadInput(f"{path.name}: {error}") from None


def library() -> Any:
    """The package onnx with the parts used here. Raises Missing where it is not installed."""
    try:
        import onnx.checker
        import onnx.helper
        import onnx.numpy_helper
        import onnx.reference
    except ImportError:
        raise Missing(INSTALL) from None
    return onnx


@dataclass(eq=False)
class Reader:
    """Walks a graph and collects the network's steps; one use."""

    model: "onnx.ModelProto"
    values: Arrangement = field(default_factory=Arrangement)
    grids: dict[str, Grid] = field(default_factory=dict)
    scales: dict[str, WeightScale] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    batch: int = 0

    def network(self, name: str, shape: Shape | None) -> OnnxNetwork:
        """The whole graph."""
        graph = self.model.graph
        for initializer in graph.initializer:
            self.tensors[initializer.name] = Constant(library().numpy_helper.to_array(initializer))
        self._image(shape)
        if len(graph.output) != 1:
            raise BadInput(f"a network gives one output, its logits; this graph gives {', '.join(o.name for o in graph.output)}.")
        for place, proto in enumerate(graph.node):
            self._node(proto, place)
        output = self._logits(graph.output[0].name)
        channels, height, width = self.values.shape(IMAGE)
        steps = _needed(self.values.steps, output)
        network = FloatNetwork(name=name, channels=channels, height=height, width=width, steps=steps, output=output)
        return OnnxNetwork(network if self.grids else folded(network), self.grids, self.scales)

    def _logits(self, name: str) -> str:
        result = self.tensors.get(name)
        if not isinstance(result, Elements):
            raise BadInput(f"the output {name} does not depend on the image.")
        try:
            value, places = self.values.flat(result.numbers.flatten(1), name)
        except NotAMap as why:
            raise BadInput(f"the output {name} must be logits [N, classes]; {why}.") from None
        shape = self.values.shape(value)
        if shape[1:] != (1, 1) or places.tolist() != list(range(shape[0])):
            raise BadInput(
                f"the output {name} must be logits [N, classes] of one layer; got a map of {shape[0]} x {shape[1]} x {shape[2]}."
            )
        return value

    def _image(self, shape: Shape | None) -> None:
        inputs = [value for value in self.model.graph.input if value.name not in self.tensors]
        if len(inputs) != 1:
            raise BadInput(f"a network takes one input, the image; this graph takes {', '.join(value.name for value in inputs) or 'none'}.")
        name, kind = inputs[0].name, library().TensorProto.DataType.Name(inputs[0].type.tensor_type.elem_type)
        if kind not in FLOATS:
            raise BadInput(f"the input {name} must be of floats, pixels from 0 to 1; got {kind}. Leave out what comes before the network.")
        dims = inputs[0].type.tensor_type.shape.dim
        sizes = [int(d.dim_value) for d in dims]
        if len(sizes) not in (2, 4) or min(sizes[1:]) < 1:
            text = ", ".join(d.dim_param or str(d.dim_value or "?") for d in dims)
            raise BadInput(f"the input {name} must be [N, C, H, W] or [N, pixels], where only N may be of any size; got [{text}].")
        own: Shape = (sizes[1], sizes[2], sizes[3]) if len(sizes) == 4 else (sizes[1], 1, 1)
        taken = shape or own
        if (len(sizes) == 4 and taken != own) or prod(taken) != prod(own):
            raise BadInput(f"the input {name} is {sizes[1:]} for one image, but images are {list(taken)} (C, H, W).")
        self.batch = sizes[0]
        self.tensors[name] = Elements(self.values.value(IMAGE, taken).reshape(1, *sizes[1:]))

    def _node(self, proto: "onnx.NodeProto", place: int) -> None:
        path = (proto.name or f"{proto.op_type.lower()}{place}").strip("/").replace("/", ".").replace(" ", "_")
        last = self.model.graph.output[0].name in proto.output
        call = Call(self.values, self.values.unique(path), proto.op_type, last)
        attributes = {a.name: library().helper.get_attribute_value(a) for a in proto.attribute}
        inputs = tuple(self.tensors[name] if name else None for name in proto.input)
        node = Node(call, attributes, inputs, len(proto.output), self.batch)
        if proto.domain not in ("", "ai.onnx"):
            raise call.refuse(f"it is of the domain {proto.domain}; export the network with standard ONNX operators")
        if any(isinstance(tensor, Elements) for tensor in inputs) or proto.op_type in ON_CONSTANTS:
            if proto.op_type not in OPERATIONS:
                raise call.refuse(INSTEAD.get(proto.op_type, ""))
            try:
                results = OPERATIONS[proto.op_type](self, node)
            except (RuntimeError, IndexError, ValueError, TypeError) as error:  # as PyTorch refuses what a handler does not take
                raise call.refuse(f"{type(error).__name__}: {str(error).splitlines()[0].rstrip('.')}") from None
        else:
            results = self._computed(call, proto)
        for output, result in zip(proto.output, results if isinstance(results, list) else [results], strict=False):
            self.tensors[output] = result

    def _computed(self, call: Call, proto: "onnx.NodeProto") -> list[Tensor]:
        """What a node of constants gives."""
        onnx = library()
        feeds = {name: t.array for name in proto.input if name and isinstance(t := self.tensors[name], Constant)}
        kinds = {name: onnx.helper.np_dtype_to_tensor_dtype(array.dtype) for name, array in feeds.items()}
        inputs = [onnx.helper.make_tensor_value_info(name, kinds[name], array.shape) for name, array in feeds.items()]
        outputs = [onnx.ValueInfoProto(name=name) for name in proto.output]
        graph = onnx.helper.make_graph([proto], "constants", inputs, outputs)
        model = onnx.helper.make_model(graph, opset_imports=self.model.opset_import, ir_version=self.model.ir_version)
        try:
            results = onnx.reference.ReferenceEvaluator(model).run(None, feeds)
        except Exception as error:  # whatever an operation's reference raises
            raise call.refuse(f"it is constant, but cannot be computed ({error})") from None
        return [Constant(np.asarray(result)) for result in results]


def _needed(steps: list[Any], output: str) -> tuple[Any, ...]:
    """The steps that lead to `output`, in order."""
    wanted, found = {output}, []
    for step in reversed(steps):
        if step.output in wanted:
            wanted |= {*step.inputs}
            found.append(step)
    return tuple(found[::-1])
