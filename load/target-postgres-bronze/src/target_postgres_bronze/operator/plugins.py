"""The project's plugin definitions, as far as the operator looks at them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Plugin:
    """One entry of a file under ``plugins/``.

    Attributes:
        kind: ``extractors``, ``loaders`` or ``utilities``.
        name: Its name in Meltano.
        file: The file that defines it.
        definition: The entry itself.
    """

    kind: str
    name: str
    file: Path
    definition: dict[str, Any]

    def variable(self, setting: dict[str, Any]) -> str:
        """Return the environment variable that gives *setting*: the one that its value names, else Meltano's own."""
        return self.variables(setting["name"])[0]

    def variables(self, name: str) -> list[str]:
        """Return the environment variables that give the setting *name*: the one that its value names, then Meltano's own."""
        own = f"{self.name}_{name}".upper().replace("-", "_").replace(".", "_")
        settings = self.definition.get("settings") or []
        value = next((str(s.get("value", "")) for s in settings if s["name"] == name), "")
        return [value.strip("${}"), own] if value.startswith("$") else [own]

    def ways(self) -> list[list[str]]:
        """Return the sets of settings of which one must have values; none: nothing is asked for."""
        found: list[list[str]] = self.definition.get("settings_group_validation") or []
        return found

    def files(self) -> dict[str, str]:
        """Return the settings that name a file which has to exist before they are of use, with their defaults.

        Its annotations list them: ``annotations: bronze: files: [token_file]``.
        """
        annotations = self.definition.get("annotations") or {}
        names = (annotations.get("bronze") or {}).get("files") or []
        settings = self.definition.get("settings") or []
        return {s["name"]: str(s.get("value") or "") for s in settings if s["name"] in names}

    def secrets(self) -> list[str]:
        """Return the variables of its credentials."""
        settings = self.definition.get("settings") or []
        return [self.variable(setting) for setting in settings if setting.get("sensitive")]

    def api(self) -> dict[str, Any]:
        """Return what its annotations say of the API that it speaks.

        ``version``; where the service has announced its end, ``ends`` (a day), ``successor`` and ``notice`` (a link).
        """
        annotations = self.definition.get("annotations") or {}
        found: dict[str, Any] = (annotations.get("bronze") or {}).get("api") or {}
        return found


def defined(root: Path) -> Iterator[Plugin]:
    """Yield the plugins of the project at *root*, in the order of their files.

    Raises:
        yaml.YAMLError: A file cannot be read.
    """
    for file in sorted((root / "plugins").glob("*/*.meltano.yml")):
        content = yaml.safe_load(file.read_text())
        for kind, entries in content.get("plugins", {}).items():
            for entry in entries:
                yield Plugin(kind, entry["name"], file, entry)
