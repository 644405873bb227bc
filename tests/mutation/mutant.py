"""A mutant: one rule of the proxy broken in memory while its module is imported; no file changes."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType

ROOT = Path(__file__).parents[2]


class Rotten(Exception):
    """A fragment that its file does not hold exactly once."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """`old`, which occurs exactly once in `file` (below proxy/), becomes `new`."""

    rule: str
    """The rule that is broken: names the mutant."""
    file: str
    old: str
    new: str
    themes: str
    """Stems of the corpus files that notice, the quickest first; `stem/word` takes the constructs or scripts with
    that word only."""
    version: int = 18
    """Major version of the server on which it shows."""
    second_wall: str = ""
    """Why it may go unnoticed: what else holds the rule."""

    @property
    def module(self) -> str:
        return "proxy." + self.file.removesuffix(".py").replace("/", ".")

    def source(self) -> str:
        """The broken module's text. Raises Rotten."""
        text = (ROOT / "proxy" / self.file).read_text()
        if (count := text.count(self.old)) != 1:
            raise Rotten(f"{self.rule}: proxy/{self.file} holds its fragment {count} times:\n{self.old}")
        return text.replace(self.old, self.new)

    def install(self) -> None:
        """From now on the module is imported broken. To be called before anything of the proxy is imported."""
        loaded = sorted(name for name in sys.modules if name.partition(".")[0] == "proxy")
        if loaded:
            raise RuntimeError(f"imported too early: {loaded[0]}")
        sys.meta_path.insert(0, _Finder(self.module, compile(self.source(), self.file, "exec", dont_inherit=True)))


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, module: str, code: CodeType) -> None:
        self._module = module
        self._code = code

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._module:
            return None
        found = importlib.machinery.PathFinder.find_spec(fullname, path)
        assert found is not None
        assert found.origin is not None
        return importlib.util.spec_from_file_location(fullname, found.origin, loader=_Loader(self._code))


class _Loader(importlib.abc.InspectLoader):
    def __init__(self, code: CodeType) -> None:
        self._code = code

    def get_code(self, fullname: str) -> CodeType:
        return self._code

    def get_source(self, fullname: str) -> str | None:
        return None

    def is_package(self, fullname: str) -> bool:
        return False
