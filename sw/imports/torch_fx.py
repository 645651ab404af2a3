"""From any `nn.Module` to a `FloatNetwork`: its forward is traced by torch.fx and every operation of it read or refused by name."""

import copy
import inspect
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.proxy import TraceError
from torch.utils._pytree import tree_leaves, tree_map

from gatewright.hw.errors import BadInput
from gatewright.sw.imports.arrangement import Arrangement, NotAMap
from gatewright.sw.imports.calls import Call, Elements
from gatewright.sw.imports.fold import folded
from gatewright.sw.imports.network import IMAGE, FloatNetwork
from gatewright.sw.imports.torch_operations import FUNCTIONS, MODULES, QUESTIONS, VIEWS

CONTROL_FLOW = (
    "its forward decides by what it computes (an `if`, `assert`, loop or number made of a tensor or its shape), and an accelerator runs "
    "the same layers for every image. Decide in __init__, or by a plain attribute of the module"
)
ASSIGNMENT = "its forward assigns to a part of a tensor. Join the parts with torch.cat instead"


def from_module(module: nn.Module, channels: int, height: int, width: int, name: str = "network") -> FloatNetwork:
    """The network that `module` computes in evaluation mode on images [N, channels, height, width] of pixels from 0 to 1.

    The module is not changed. Raises BadInput that names the path and type of whatever has no counterpart, and what to use instead.
    """
    module = copy.deepcopy(module).eval()
    values = Arrangement()
    image = Elements(values.value(IMAGE, (channels, height, width)))
    reader = _Reader(module, _traced(module, name), values)
    output = reader.read(image)
    if isinstance(output, Tensor):
        raise BadInput(f"{name}: forward must return the logits of its image; what it returns does not depend on the image.")
    if not isinstance(output, Elements) or output.numbers.dim() < 2:
        got = f"the shape {tuple(output.numbers.shape)}" if isinstance(output, Elements) else type(output).__name__
        raise BadInput(f"{name}: forward must return one tensor, the logits [N, classes]; got {got}. Return the logits alone.")
    try:
        logits, places = values.flat(output.numbers.flatten(1), "output")
    except NotAMap as error:
        raise BadInput(f"{name}: forward must return the logits [N, classes]; {error}.") from None
    shape = values.shape(logits)
    if shape[1:] != (1, 1) or places.tolist() != list(range(shape[0])):
        raise BadInput(
            f"{name}: forward must return the logits [N, classes] of one layer; got a map of {shape[0]} x {shape[1]} x {shape[2]}. "
            "End with Linear, or pool the map to 1 x 1."
        )
    return folded(FloatNetwork(name=name, channels=channels, height=height, width=width, steps=tuple(values.steps), output=logits))


def _traced(module: nn.Module, name: str) -> fx.Graph:
    try:
        return fx.Tracer().trace(module)
    except BadInput:
        raise
    except TraceError as error:
        raise BadInput(f"{name}{_line(error)}: {CONTROL_FLOW}. (torch.fx: {_first(error)})") from None
    except Exception as error:
        if "Proxy" in str(error) or "symbolic tracing" in str(error):
            rule = ASSIGNMENT if "item assignment" in str(error) else CONTROL_FLOW
            raise BadInput(f"{name}{_line(error)}: {rule}. (torch.fx: {_first(error)})") from None
        raise BadInput(f"{name}{_line(error)}: forward could not be traced: {type(error).__name__}: {_first(error)}.") from None


def _line(error: Exception) -> str:
    """Where in the user's file it happened."""
    torch_folder = str(Path(torch.__file__).parent)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(torch_folder) and f.filename != __file__]
    return f" (line {frames[-1].lineno} of {Path(frames[-1].filename).name})" if frames else ""


def _first(error: Exception) -> str:
    return str(error).strip().split("\n")[0].rstrip(".")


def _in_place(operation: str, args: Any, kwargs: Any) -> bool:
    """Whether a function or method writes its result into its first operand."""
    if operation.endswith("_") or operation in ("iadd", "isub", "imul", "itruediv"):
        return True
    names = list(inspect.signature(FUNCTIONS[operation]).parameters)[1:] if operation in FUNCTIONS else []
    return bool((dict(zip(names, args, strict=False)) | kwargs).get("inplace", False))


class _Reader:
    """Goes through a traced graph once, node by node."""

    def __init__(self, module: nn.Module, graph: fx.Graph, values: Arrangement) -> None:
        self.module, self.graph, self.values = module, graph, values
        self.known: dict[fx.Node, Any] = {}

    def read(self, image: Elements) -> Any:
        """What the graph returns."""
        images = 0
        for node in self.graph.nodes:
            if node.op == "placeholder":
                images += 1
                self.known[node] = image if images == 1 else self._default(node)
            elif node.op == "output":
                return self._value(node.args[0])
            elif node.op == "get_attr":
                self.known[node] = self._attribute(str(node.target))
            else:
                self.known[node] = self._call(node)
        raise BadInput("forward must return the logits; it returns nothing.")

    def _default(self, node: fx.Node) -> Any:
        if not node.args:
            raise BadInput(f"forward takes one argument, the images; got another, {node.target}. Keep it as a buffer of the module.")
        return node.args[0]

    def _attribute(self, target: str) -> Any:
        found: Any = self.module
        for part in target.split("."):
            found = getattr(found, part)
        return found.detach() if isinstance(found, Tensor) else found

    def _value(self, argument: Any) -> Any:
        return fx.node.map_aggregate(argument, lambda item: self.known[item] if isinstance(item, fx.Node) else item)

    def _call(self, node: fx.Node) -> Any:
        args, kwargs = self._value(node.args), self._value(node.kwargs)
        last = all(user.op == "output" for user in node.users)
        if node.op == "call_module":
            module = self.module.get_submodule(str(node.target))
            call = Call(self.values, str(node.target), type(module).__name__, last)
            if type(module) not in MODULES:
                raise call.refuse()
            in_place = getattr(module, "inplace", False)
            result = self._tried(call, lambda: MODULES[type(module)](call, module, *args, **kwargs))
        else:
            operation = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
            call = Call(self.values, self._path(node, operation), operation, last)
            if not any(isinstance(leaf, Elements) for leaf in tree_leaves((args, kwargs))):
                return self._plain(node, args, kwargs)
            in_place = _in_place(operation, args, kwargs)
            result = self._operation(call, node, operation, args, kwargs)
        if in_place and isinstance(result, Elements) and isinstance(args[0], Elements):
            args[0].numbers.copy_(result.numbers)
            return args[0]
        return result

    def _operation(self, call: Call, node: fx.Node, operation: str, args: Any, kwargs: Any) -> Any:
        if operation == "getattr" and args[1] in ("shape", "ndim"):
            return getattr(args[0].numbers, args[1])
        if operation in QUESTIONS or operation in VIEWS:
            return self._tried(call, lambda: self._plain(node, args, kwargs))
        if operation not in FUNCTIONS:
            raise call.refuse()
        return self._tried(call, lambda: FUNCTIONS[operation](call, *args, **kwargs))

    def _plain(self, node: fx.Node, args: Any, kwargs: Any) -> Any:
        """The operation itself, on numbers of elements and constants."""
        bare = tree_map(lambda leaf: leaf.numbers if isinstance(leaf, Elements) else leaf, (list(args), dict(kwargs)))
        tracked = any(isinstance(leaf, Elements) for leaf in tree_leaves((args, kwargs)))
        if node.op == "call_method":
            result = getattr(bare[0][0], str(node.target))(*bare[0][1:], **bare[1])
        else:
            assert callable(node.target)
            result = node.target(*bare[0], **bare[1])
        return tree_map(lambda leaf: Elements(leaf) if isinstance(leaf, Tensor) else leaf, result) if tracked else result

    def _tried(self, call: Call, operation: Callable[[], Any]) -> Any:
        """What the operation gives; a call that its handler does not take, or PyTorch itself refuses, is the user's to mend."""
        try:
            return operation()
        except (TypeError, RuntimeError, IndexError, ValueError, AttributeError) as error:
            raise call.refuse(f"{type(error).__name__}: {_first(error)}") from None

    def _path(self, node: fx.Node, operation: str) -> str:
        """The module whose forward the operation is in, and the operation."""
        stack = list(node.meta.get("nn_module_stack", {}).values())
        owner = str(stack[-1][0]) if stack else ""
        return f"{owner}.{operation}" if owner else operation
