"""YAML as a tree that still knows its lines.

`yaml.safe_load` throws lines away, takes the last of two equal keys and reads a column called `no` as False. So the
files are read from the composer's nodes: keys are taken as they are written, and a key that stands twice is an error.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from proxy.errors import ConfigError

_STR = "tag:yaml.org,2002:str"
_INT = "tag:yaml.org,2002:int"
_BOOL = "tag:yaml.org,2002:bool"
_NULL = "tag:yaml.org,2002:null"


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of a file and where it stands. `key` is the way to it, dotted: `listen.port`."""

    path: Path
    key: str
    line: int
    """Line of its key, from 1."""
    node: yaml.Node | None
    """None: an empty file."""

    def error(self, message: str) -> ConfigError:
        return ConfigError(message, path=self.path, line=self.line or None, key=self.key or None)

    @property
    def is_null(self) -> bool:
        return self.node is None or (isinstance(self.node, yaml.ScalarNode) and self.node.tag == _NULL)

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.node, yaml.MappingNode)

    def mapping(self, expected: str) -> dict[str, Entry]:
        """The entries below, by their key as it is written; nothing at all is an empty mapping.

        `expected` says what should stand here. Raises ConfigError for another shape and for a key that stands twice.
        """
        if self.is_null:
            return {}
        if not isinstance(self.node, yaml.MappingNode):
            raise self.error(f"must be {expected}")
        entries: dict[str, Entry] = {}
        for key_node, value_node in self.node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise ConfigError("a key must be plain text", path=self.path, line=line, key=self.key or None)
            name = key_node.value
            entry = Entry(self.path, f"{self.key}.{name}" if self.key else name, line, value_node)
            if name in entries:
                raise entry.error(f"stands twice; the first is in line {entries[name].line}")
            entries[name] = entry
        return entries

    def text(self) -> str:
        if isinstance(self.node, yaml.ScalarNode) and self.node.tag == _STR:
            value: str = self.node.value
            if value.strip():
                return value
        raise self.error("must be text; put quotes around what YAML takes for something else")

    def integer(self, low: int, high: int) -> int:
        """A decimal number in [low, high]; low is not negative."""
        text = self.node.value if isinstance(self.node, yaml.ScalarNode) and self.node.tag == _INT else ""
        if text.isdecimal() and len(text) <= len(str(high)) and low <= (value := int(text)) <= high:
            return value
        raise self.error(f"must be a whole number from {low} to {high}")

    def boolean(self) -> bool:
        if isinstance(self.node, yaml.ScalarNode) and self.node.tag == _BOOL:
            return self.node.value.lower() in ("true", "yes", "on")
        raise self.error("must be true or false")

    def choice(self, options: Iterable[str]) -> str:
        """One of `options`, as text. (YAML reads a bare `no` or `off` as a boolean: those are never options.)"""
        options = list(options)
        value = self.node.value if isinstance(self.node, yaml.ScalarNode) else None
        if value not in options:
            raise self.error(f"must be one of {', '.join(options)}{suggestion(value or '', options)}")
        return str(value)


def read_document(path: Path) -> Entry:
    """The root of a file. Raises ConfigError when it cannot be read or is not one YAML document in UTF-8."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError("no such file", path=path) from None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror or error}", path=path) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"is not UTF-8: {error.reason} at byte {error.start}", path=path) from None
    try:
        return Entry(path, "", 0, yaml.compose(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = " ".join(part for part in (error.problem, error.context) if part)
        raise ConfigError(f"not YAML: {message}", path=path, line=mark.line + 1 if mark else None) from None
    except yaml.YAMLError as error:
        message = " ".join(str(error).split())
        raise ConfigError(f"not YAML: {message}", path=path) from None
    except RecursionError:
        raise ConfigError("not YAML that can be used: nested too deeply", path=path) from None


def require_known(entries: dict[str, Entry], known: Iterable[str]) -> None:
    """Raises ConfigError for the first key that is not among `known`, with the nearest that is."""
    known = list(known)
    for name, entry in entries.items():
        if name not in known:
            raise entry.error(f"unknown key{suggestion(name, known) or '; known: ' + ', '.join(known)}")


def suggestion(word: str, known: Iterable[str]) -> str:
    """`; did you mean "x"?`, or nothing when nothing is near."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f'; did you mean "{near[0]}"?' if near else ""
