"""What may be told of a tap's settings: names and rules always, values only where they are no secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def public_settings(schema: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out of *config* what is secret, at any depth, and what *schema* does not declare.

    A setting is secret when it carries ``secret`` or ``writeOnly`` (``th.Property(..., secret=True)`` sets
    both). An undeclared setting may be anything, so it is left out too.

    Args:
        schema: The tap's ``config_jsonschema``.
        config: Settings as the tap got them.
    """
    properties = schema.get("properties", {})
    return {
        name: _public_value(properties[name], value)
        for name, value in config.items()
        if name in properties and not _is_secret(properties[name])
    }


def explain(path: list[Any], rule: str, rule_value: Any, tap_name: str) -> str:
    """Say which setting breaks which rule, without its value.

    Args:
        path: Where in the settings, outermost first; empty for the settings as a whole.
        rule: Name of the JSON Schema keyword, such as ``type``.
        rule_value: What the keyword asks for.
        tap_name: Such as ``tap-git``; its environment variables start with ``TAP_GIT_``.
    """
    prefix = tap_name.upper().replace("-", "_")
    if rule == "required":
        return f"A required setting is missing; needed are: {', '.join(rule_value)}. Set them as {prefix}_<NAME>."
    place = ".".join(str(step) for step in path) or "settings"
    variable = f"{prefix}_{str(path[0]).upper()}" if path else f"{prefix}_<NAME>"
    return (
        f"Setting '{place}' breaks the rule {rule}: {_told(rule_value)}. Correct it there or in {variable}."
    )


def _told(rule_value: Any) -> str:
    if isinstance(rule_value, list):
        return " or ".join(str(item) for item in rule_value)
    return str(rule_value)


def _is_secret(schema: Mapping[str, Any]) -> bool:
    return bool(schema.get("secret") or schema.get("writeOnly"))


def _public_value(schema: Mapping[str, Any], value: Any) -> Any:
    if isinstance(value, Mapping) and "properties" in schema:
        return public_settings(schema, value)
    if isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        return [_public_value(schema["items"], item) for item in value]
    return value
