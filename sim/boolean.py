"""Boolean functions as Liberty writes them: parsed once, then evaluated, turned into C, or into a probability.

Operators by falling precedence (Liberty User Guide, "function attribute"): `'` after and `!` before an operand, `^`,
then `*`, `&` or a blank (and), then `+` or `|` (or). Constants are 0 and 1.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product
from typing import Any, Literal

from gatewright.hw.errors import BadInput

Kind = Literal["name", "constant", "not", "and", "or", "xor"]

_TOKEN = re.compile(r"\s*([A-Za-z_][\w.\[\]]*|[01]|[!'*&+|^()])")
_C = {"and": "&", "or": "|", "xor": "^"}
_VARIABLES_MAX = 12  # a truth table of 4096 rows; no standard cell needs more


@dataclass(frozen=True)
class Expression:
    """One node: a `name`, a `constant`, or an operation on `terms`."""

    kind: Kind
    value: str = ""
    terms: "tuple[Expression, ...]" = ()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The variables in order of first appearance."""
        if self.kind == "name":
            return (self.value,)
        return tuple(dict.fromkeys(name for term in self.terms for name in term.names))

    def c(self, names: Mapping[str, str]) -> str:
        """A C expression on whole words (bitwise, so 64 streams in a machine word work); `names` maps variables to C operands.

        The text is Python as well, if the operands are unsigned NumPy arrays.
        """
        match self.kind:
            case "name":
                return names[self.value]
            case "constant":
                return "(~(uint64_t)0)" if self.value == "1" else "((uint64_t)0)"
            case "not":
                return f"(~{self.terms[0].c(names)})"
            case _:
                return "(" + f" {_C[self.kind]} ".join(term.c(names) for term in self.terms) + ")"

    def evaluate(self, values: Mapping[str, Any], ones: Any = 1) -> Any:
        """The value, bitwise, of ints or integer arrays; `ones` is the word of all ones (1 for single bits)."""
        match self.kind:
            case "name":
                return values[self.value]
            case "constant":
                return ones if self.value == "1" else ones & 0
            case "not":
                return self.terms[0].evaluate(values, ones) ^ ones
        result = self.terms[0].evaluate(values, ones)
        for term in self.terms[1:]:
            other = term.evaluate(values, ones)
            result = result & other if self.kind == "and" else result | other if self.kind == "or" else result ^ other
        return result

    @cached_property
    def minterms(self) -> tuple[dict[str, int], ...]:
        """Every assignment of the variables that makes the function 1."""
        if len(self.names) > _VARIABLES_MAX:
            raise BadInput(f"Boolean function: at most {_VARIABLES_MAX} variables can be tabulated, got {len(self.names)}.")
        rows = (dict(zip(self.names, bits, strict=True)) for bits in product((0, 1), repeat=len(self.names)))
        return tuple(row for row in rows if self.evaluate(row))

    def probability(self, high: Mapping[str, Any]) -> Any:
        """Probability of being 1 when the variables are independent and 1 with probability `high` (floats or arrays)."""
        total: Any = 0.0
        for row in self.minterms:
            term: Any = 1.0
            for name, bit in row.items():
                term = term * (high[name] if bit else 1.0 - high[name])
            total = total + term
        return total

    def sensitivity(self, name: str) -> "Expression":
        """The Boolean difference: 1 where a change of `name` changes the function."""
        return Expression("xor", terms=(self.substitute({name: ZERO}), self.substitute({name: ONE})))

    def substitute(self, terms: "Mapping[str, Expression]") -> "Expression":
        """The function with some variables replaced."""
        if self.kind == "name":
            return terms.get(self.value, self)
        return Expression(self.kind, self.value, tuple(term.substitute(terms) for term in self.terms))


ZERO = Expression("constant", "0")
ONE = Expression("constant", "1")


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = self._tokens()
        self.at = 0

    def _tokens(self) -> list[str]:
        tokens, position, text = [], 0, self.text.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if not match:
                raise self.error(f"the character {text[position:].lstrip()[0]!r} is not part of one")
            tokens.append(match[1])
            position = match.end()
        return tokens

    def error(self, why: str) -> BadInput:
        legal = "names, 0, 1, ! ' * & + | ^ and parentheses"
        return BadInput(f"Boolean function {self.text!r}: {why}; a function is made of {legal}.")

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def parse(self) -> Expression:
        result = self.disjunction()
        if self.peek():
            raise self.error(f"{self.peek()!r} stands where the function should end")
        return result

    def disjunction(self) -> Expression:
        terms = [self.conjunction()]
        while self.peek() in ("+", "|"):
            self.take()
            terms.append(self.conjunction())
        return terms[0] if len(terms) == 1 else Expression("or", terms=tuple(terms))

    def conjunction(self) -> Expression:
        terms = [self.difference()]
        while (token := self.peek()) and token not in ("+", "|", ")"):
            if token in ("*", "&"):
                self.take()
            terms.append(self.difference())
        return terms[0] if len(terms) == 1 else Expression("and", terms=tuple(terms))

    def difference(self) -> Expression:
        terms = [self.operand()]
        while self.peek() == "^":
            self.take()
            terms.append(self.operand())
        return terms[0] if len(terms) == 1 else Expression("xor", terms=tuple(terms))

    def operand(self) -> Expression:
        token = self.take()
        if token == "!":
            return Expression("not", terms=(self.operand(),))
        if token == "(":
            result = self.disjunction()
            if self.take() != ")":
                raise self.error("a parenthesis is not closed")
        elif token in ("0", "1"):
            result = Expression("constant", token)
        elif token and (token[0].isalpha() or token[0] == "_"):
            result = Expression("name", token)
        else:
            raise self.error(f"an operand is missing before {token!r}" if token else "it ends where an operand should stand")
        while self.peek() == "'":
            self.take()
            result = Expression("not", terms=(result,))
        return result


@lru_cache(maxsize=8192)
def expression(text: str) -> Expression:
    """Parse a Liberty function. Raises BadInput naming the function and what is wrong with it."""
    return _Parser(text).parse()
