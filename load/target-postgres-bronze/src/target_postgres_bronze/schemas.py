"""Checks records against their stream's JSON Schema, in words that name rule and field and never a value."""

from __future__ import annotations

import json
from typing import Any, Final

import jsonschema_rs

#: More broken rules than this are counted, not named.
_NAMED_RULES: Final = 3
_NAMED_FIELDS: Final = 5
_DRAFTS: Final = (jsonschema_rs.Draft7Validator, jsonschema_rs.Draft4Validator)


def _refuse_retrieval(uri: str) -> Any:
    raise ValueError(f"the schema points to {uri}, and nothing is fetched")


def _compile(schema: dict[str, Any]) -> tuple[Any, str]:
    """Return the validator of *schema*, or None and why there is none.

    Its draft is the one that ``$schema`` names, else draft 7, as Singer uses; else draft 4 if only that accepts it
    (``"exclusiveMaximum": true``).
    """
    defect = ""
    drafts = [*([jsonschema_rs.validator_for] if "$schema" in schema else []), *_DRAFTS]
    if not isinstance(schema.get("$schema", ""), str):
        schema = {name: member for name, member in schema.items() if name != "$schema"}
    for draft in drafts:
        try:
            return draft(schema, validate_formats=False, retriever=_refuse_retrieval), ""
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a schema, its records land
            defect = defect or f"the stream's schema is not a valid JSON Schema ({type(error).__name__})"
    return None, defect


class SchemaChecker:
    """A stream's schema, compiled.

    Attributes:
        declared: Names of the fields that the schema declares.
        defect: Why records cannot be checked against it; empty if they can.
    """

    def __init__(self, schema: dict[str, Any]) -> None:
        """Compile *schema*.

        Source: Singer specification, SCHEMA; formats are annotations (JSON Schema draft 7, 7.2).
        """
        properties = schema.get("properties")
        self.declared = frozenset(properties) if isinstance(properties, dict) else frozenset()
        self._lets_in_all = (
            not self.declared
            or schema.get("additionalProperties", False) not in (False, None)
            or "patternProperties" in schema
        )
        self._validator, self.defect = _compile(schema)

    def broken_rules(self, content: dict[str, Any]) -> str:
        """Return which rules *content* breaks, at which fields; empty if none."""
        if self._validator is None or self._validator.is_valid(content):
            return ""
        found = [_describe(error) for error in self._validator.iter_errors(content)]
        more = f"; {len(found) - _NAMED_RULES} more" if len(found) > _NAMED_RULES else ""
        return "; ".join(found[:_NAMED_RULES]) + more

    def count_present(self, content: dict[str, Any], undeclared: list[str]) -> int:
        """Return how many of the declared fields *content* has; *undeclared* is what `undeclared` says of it."""
        if self._lets_in_all:
            return len(self.declared & content.keys())
        return len(content) - len(undeclared)

    def undeclared(self, content: dict[str, Any]) -> list[str]:
        """Return the names of fields that the schema does not declare; none if it lets all in."""
        if self._lets_in_all or content.keys() <= self.declared:
            return []
        return sorted(content.keys() - self.declared)


def describe_fields(names: list[str]) -> str:
    """Return *names* for a sentence, the first few of many."""
    more = f" and {len(names) - _NAMED_FIELDS} more" if len(names) > _NAMED_FIELDS else ""
    return ", ".join(json.dumps(name) for name in names[:_NAMED_FIELDS]) + more


def _describe(error: jsonschema_rs.ValidationError) -> str:
    """Return rule and field of a broken rule; its message would quote the value."""
    rule = str(error.schema_path[-1]) if error.schema_path else "schema"
    field = "/" + "/".join(str(step) for step in error.instance_path)
    detail = ""
    kind = error.kind
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.Required):
        detail = f" {json.dumps(kind.property)}"
    elif isinstance(kind, jsonschema_rs.ValidationErrorKind.Type):
        detail = f" ({', '.join(kind.types)})"
    return f"{field}: breaks {rule}{detail}"
