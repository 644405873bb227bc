"""One statement on its way to a Plan: what the handlers of the statement classes share."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from pglast import ast

from proxy.config import DatabasePolicy
from proxy.errors import Refused
from proxy.sql.catalog import Catalog, Relation, SearchPath
from proxy.sql.context import Context
from proxy.sql.declared import declared
from proxy.sql.plan import CopyPlan, Effect, Opening, Plan, ServerParam
from proxy.sql.rewrite import render
from proxy.sql.splicing import splice
from proxy.sql.survey import Carriers, Mentions, Tree, mentions

DDL: Final = Effect.CATALOG
DDL_AND_PATH: Final = Effect.CATALOG | Effect.SETTINGS
"""DDL after which the schemas of the search_path that exist, or may be used, may be others."""

# Functions that run SQL text or read whole tables by name: what they return or compare would be sealed bytes, and their
# text cannot be rewritten. Those of extensions (dblink, tablefunc, xml2, pg_background, pg_cron) may be in any schema.
_RUN_TEXT: Final = re.compile(
    r"(pg_catalog\.)?((query|table|cursor|schema|database)_to_xml(_?schema)?(_and_xmlschema)?|ts_stat|ts_rewrite)"
    r"|(.*\.)?(dblink.*|crosstab.*|connectby|xpath_table|pg_background_launch)|cron\.(schedule|alter_job).*"
)
# Set in every transaction by pools and frameworks, or what the text of a whole message is read by. What shapes values
# is not among them, for ParameterStatus tells of a change no sooner than ReadyForQuery.
_HARMLESS: Final = frozenset(
    {
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
        "transaction_timeout",
        "work_mem",
        "application_name",
        "client_encoding",
        "standard_conforming_strings",
    }
)
_WORD: Final = re.compile(r"\w+")


class Task:
    """A parsed statement with all that it is held against. `text` is the whole Query string, `node` the tree."""

    def __init__(
        self,
        text: str,
        node: Tree,
        *,
        catalog: Catalog,
        path: SearchPath,
        policy: DatabasePolicy,
        param_types: tuple[int, ...],
        extent: tuple[int, int],
    ) -> None:
        self.text = text
        self.extent = extent
        """Characters of `text` from, to (exclusive), that are this statement."""
        self.node = node
        self.catalog = catalog
        self.path = path
        self.policy = policy
        self.carriers = Carriers(catalog, policy)
        self.context = Context(text, catalog, path, policy, param_types, node)
        self.effects = Effect.NONE
        """What handlers add to their statement class's own effects."""
        self.tag = ""

    def mentions(self, node: Any = None) -> Mentions:
        """What the statement, or a part of it, names; the effects of set_config() and of functions that may call it are
        noted in passing."""
        found = mentions(self.node if node is None else node, self.catalog, self.path)
        for call in found.functions:
            name = _name_of(call)[-1]
            if name in self.catalog.volatile or (name == "set_config" and _may_matter(call)):
                self.effects |= Effect.SETTINGS
        return found

    def sealed_mention(self, found: Mentions) -> Relation | None:
        """The first relation with sealed columns among those that `found` names, as a table or as a row type."""
        for _, relation in (*found.relations, *found.row_types):
            if self.carries(relation):
                return relation
        return None

    def calls_declared(self, found: Mentions) -> bool:
        """True where a function of the policy is called."""
        functions = self.policy.functions
        return bool(functions) and any(declared(self.policy, self.path, call) for call in found.functions)

    def refuse_declared(self, found: Mentions, construct: str) -> None:
        """Raises Refused where a function of the policy is called, whose arguments could not be sealed here."""
        if self.calls_declared(found):
            raise Refused(
                f"a function that is declared in columns.yaml cannot be called in {construct}",
                hint="call it in a SELECT, INSERT, UPDATE, DELETE, MERGE or CALL",
            )

    def carries(self, relation: Relation) -> bool:
        return bool(self.policy) and self.carriers.carries(relation)

    def require_known(self, found: Mentions) -> None:
        """Raises Refused 42P01 for the first name that the catalog does not hold: the session reads it again once."""
        if self.policy and found.unknown:
            node = min(found.unknown, key=lambda item: item.location or 0)
            name = f"{node.schemaname}.{node.relname}" if node.schemaname else node.relname
            raise Refused(f'relation "{name}" does not exist', position=place(node.location), sqlstate="42P01")

    def refuse_row_types(self, found: Mentions) -> None:
        """Raises Refused for the row type of a table with sealed columns: its fields would hold plain values."""
        for name, relation in found.row_types:
            if self.carries(relation):
                raise Refused(
                    f'the row type of "{relation.qualified}" cannot be used: the table has sealed columns',
                    hint="select or assign its columns one by one",
                    position=place(name.location),
                )

    def refuse_text_runners(self, found: Mentions) -> None:
        """Raises Refused for a call that runs SQL text or reads a table by name where that may be a sealed one."""
        for call in found.functions:
            name = _name_of(call)
            if not _RUN_TEXT.fullmatch(".".join(name)):
                continue
            function = name[-1]
            inner = mentions(call.args, self.catalog, self.path)
            arguments = call.args or ()
            is_constant = not inner.parameters and all(_is_constant(argument) for argument in arguments)
            if function.startswith(("schema_", "database_")) or not is_constant or self.names_sealed(inner.strings):
                raise Refused(
                    f"{function}() may read sealed columns through text that cannot be analysed",
                    hint="write the query itself as the statement",
                    position=place(call.location),
                )

    def names_sealed(self, texts: Iterable[str]) -> str | None:
        """The name of a relation with sealed columns, or of a declared function, that occurs as a word in one of the
        texts, whatever its schema.

        The words of a text in single quotes count too (EXECUTE 'SELECT ...'), and case does not matter.
        """
        if not self.policy:
            return None
        lowered = [text.lower() for text in texts]
        words = {word for text in lowered for word in _WORD.findall(text)}

        def occurs(name: str) -> bool:
            name = name.lower()
            return name in words if _WORD.fullmatch(name) else any(name in text for text in lowered)

        for _, table in self.policy.tables:
            if occurs(table) and not self._is_pending_only(table):
                return table
        for _, function in self.policy.functions:
            if occurs(function):
                return function
        for relation in self.catalog:
            if not relation.is_system and occurs(relation.name) and self.carriers.carries(relation):
                return relation.name
        return None

    def _is_pending_only(self, table: str) -> bool:
        return all(
            column.pending
            for (_, name), columns in self.policy.tables.items()
            if name == table
            for column in columns.values()
        )

    def resolve(self, name: Tree) -> Relation | None:
        return self.catalog.resolve(name.schemaname, name.relname, self.path)

    def plan(
        self, node: Tree, *, results: tuple[Opening | None, ...] | None = None, copy: CopyPlan | None = None
    ) -> Plan:
        """The statement as it will be sent: its own bytes, or its text with the tree's edits, proven and cut."""
        return self.assemble(node, self.context.finish(), results=results, copy=copy)

    def assemble(
        self,
        node: Tree,
        params: tuple[ServerParam, ...] | None,
        *,
        results: tuple[Opening | None, ...] | None = None,
        copy: CopyPlan | None = None,
    ) -> Plan:
        """`plan`, once the parameters are numbered. Raises Refused."""
        context = self.context
        if context.edited or context.tables:
            self._refuse_shadowed()
        template = None
        literals: tuple[Any, ...] = ()
        if context.edited:
            markers = [context.marker(index) for index in range(len(context.literals))]
            start, end = self.extent
            proposal = None
            if context.edits:
                proposal = splice(self.text[start:end], start, context.constants, context.edits)
            template, order = render(node, markers, proposal)
            literals = tuple(context.literals[index] for index in order)
        return Plan(
            template=template,
            literals=literals,
            params=params,
            results=results,
            effects=self.effects,
            copy=copy,
            tables=frozenset(context.tables - {0}),  # 0: a table that is only being defined
            tag=self.tag,
        )

    def _refuse_shadowed(self) -> None:
        for schema in self.path.schemas:
            if schema == "pg_catalog":
                return
            if schema in self.catalog.shadowing:
                shown = "pg_temp" if schema.startswith("pg_temp_") else schema
                raise Refused(
                    f'schema "{shown}" is before pg_catalog on the search_path and has operators, functions or types '
                    "of the same names: what they would do with sealed columns is not known",
                    hint="put pg_catalog first on the search_path, or leave it out",
                )

    def plain(self, node: Tree) -> Plan:
        """A statement that touches nothing sealed: rewritten where that could be done, or else its own bytes."""
        if not self.context.edited:
            return self.forward()
        try:
            return self.plan(node)
        except Refused:
            return self.forward()

    def forward(self, **more: Any) -> Plan:
        """The client's own bytes."""
        return Plan(effects=self.effects, tag=self.tag, **more)


def matters(setting: str) -> bool:
    """False for settings that no analysis and no value of the same batch depends on."""
    return "." not in setting and setting.lower() not in _HARMLESS


def _may_matter(call: Tree) -> bool:
    """False for set_config() of a setting that is written as a literal and known not to matter."""
    setting = call.args[0] if call.args else None
    if isinstance(setting, ast.A_Const) and isinstance(setting.val, ast.String):
        return matters(setting.val.sval or "")
    return True


def place(location: int | None) -> int | None:
    """A location of the parser (characters from 0, -1 for none) -> the position of an error (from 1)."""
    return None if location is None or location < 0 else location + 1


def _name_of(call: Tree) -> tuple[str, ...]:
    return tuple(part.sval for part in call.funcname)


def _is_constant(node: Any) -> bool:
    while isinstance(node, ast.TypeCast):
        node = node.arg
    if isinstance(node, ast.NamedArgExpr):
        return _is_constant(node.arg)
    return isinstance(node, ast.A_Const)
