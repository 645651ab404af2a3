"""The base of every noun: frozen, keyword-only, validated, hashable, JSON round-trip."""

import hashlib
import json
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from gatewright.hw.errors import BadInput


class Noun(BaseModel):
    """An immutable value object. Construct it with keywords; vary it with `replace`; store it with `to_json`."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise BadInput(explain(type(self).__name__, error)) from None

    def replace(self, **changes: Any) -> Self:
        """A validated copy with some fields changed."""
        return type(self)(**({name: getattr(self, name) for name in type(self).model_fields} | changes))

    def to_json(self, indent: int | None = None) -> str:
        return self.model_dump_json(indent=indent)

    @classmethod
    def from_json(cls, text: str) -> Self:
        try:
            fields = json.loads(text)
        except json.JSONDecodeError as error:
            raise BadInput(f"{cls.__name__}: the text is not JSON ({error}).") from None
        if not isinstance(fields, dict):
            raise BadInput(f"{cls.__name__}: expected a JSON object, got {type(fields).__name__}.")
        return cls(**fields)

    @property
    def content_hash(self) -> str:
        """First 16 hex digits of the SHA-256 of the canonical JSON: equal in every process."""
        canonical = json.dumps(json.loads(self.to_json()), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(f"{type(self).__name__}:{canonical}".encode()).hexdigest()[:16]


def explain(what: str, error: ValidationError) -> str:
    """One sentence for each broken rule, naming the field, the rule and the value."""
    sentences = []
    for item in error.errors():
        field = ".".join(str(part) for part in item["loc"])
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            message = "is not a known key; check its spelling"
        value = "" if item["type"] in ("missing", "extra_forbidden") or not field else f" (got {item['input']!r})"
        sentences.append(f"{field + ': ' if field else ''}{message}{value}")
    return f"{what}: " + "; ".join(sentences) + "."
