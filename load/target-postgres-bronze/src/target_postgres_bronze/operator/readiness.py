"""Whether a source is set up: its plugin definition names ways to do so, and the settings of one of them have values.

Source: Meltano's documentation of plugin definitions, "settings_group_validation": sets of settings of which one must be complete.
A plugin without it asks for nothing. A setting that names a file, such as that of a log-in, only counts if the file exists.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from target_postgres_bronze.operator import meltano

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_postgres_bronze.operator.plugins import Plugin


def lacking(root: Path, plugin: Plugin, variables: Mapping[str, str]) -> str:
    """Return the variables to set, such as ``TAP_SHOP_PATH or TAP_SHOP_TOKEN``; nothing where *plugin* is set up.

    Args:
        root: The project's folder.
        plugin: An extractor.
        variables: The project's variables.
    """
    ways = plugin.ways()
    set_ = {name for way in ways for name in way if any(map(variables.get, plugin.variables(name)))}
    configured = _configured(root, plugin, variables)
    set_ |= {name for name, value in configured.items() if value not in (None, "")}
    absent = _absent_files(root, plugin, {**configured, **_from_environment(plugin, variables)})
    set_ = (set_ | plugin.files().keys()) - absent.keys()
    if not ways or any(set_.issuperset(way) for way in ways):
        return ""
    names = {name: plugin.variables(name)[0] for way in ways for name in way}
    names |= {name: f"{names.get(name)} (there is no {path})" for name, path in absent.items()}
    return " or ".join(" and ".join(names[name] for name in way if name not in set_) for way in ways)


def _from_environment(plugin: Plugin, variables: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that name files, as the variables give them."""
    found = {
        name: [variables.get(variable) for variable in plugin.variables(name)] for name in plugin.files()
    }
    return {name: value for name, values in found.items() if (value := next(filter(None, values), None))}


def _absent_files(root: Path, plugin: Plugin, configured: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings of *plugin* that name a file which does not exist, with that file."""
    named = {name: str(configured.get(name) or default) for name, default in plugin.files().items()}
    return {name: file for name, file in named.items() if not (root / Path(file).expanduser()).exists()}


def surely_lacking(root: Path, plugin: Plugin, variables: Mapping[str, str]) -> str:
    """Do as `lacking`, and where something seems to lack ask Meltano, which knows more places: two seconds."""
    said = lacking(root, plugin, variables)
    if not said:
        return ""
    config = meltano.config_of(root, plugin.name)
    known = {name for name, value in (config or {}).items() if value not in (None, "")}
    known -= _absent_files(root, plugin, config or {}).keys()
    return "" if config is None or any(known.issuperset(way) for way in plugin.ways()) else said


def _configured(root: Path, plugin: Plugin, variables: Mapping[str, str]) -> dict[str, Any]:
    """Return what the plugin's definition and the environment in ``meltano.yml`` set."""
    project = yaml.safe_load((root / "meltano.yml").read_text()) or {}
    named = variables.get("MELTANO_ENVIRONMENT") or project.get("default_environment")
    places = [
        project,
        *(e.get("config") or {} for e in project.get("environments") or [] if e["name"] == named),
    ]
    found: dict[str, Any] = dict(plugin.definition.get("config") or {})
    for place in places:
        for entry in (place.get("plugins") or {}).get(plugin.kind) or []:
            if entry.get("name") == plugin.name:
                found |= entry.get("config") or {}
    return found
