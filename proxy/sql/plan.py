"""The Plan: all that the analysis of one statement decided, and the only thing that `session` knows of SQL.

Flow of one value, client to server:

    client bytes -> wire codec of `source` -> `casts`, then conversion to `column.type` (rules of `use`) -> canonical
    binary form -> crypto.seal -> bytea as text or binary -> server

and back: server bytea -> crypto.open -> canonical binary form -> wire codec of `Opening.type` -> client.
Plans are immutable and shared between sessions; they hold no keys and no sealed bytes.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from proxy.config import SealedColumn
from proxy.pgtypes import BY_NAME, SqlType

TEXT = SqlType(BY_NAME["text"])


class Use(enum.Enum):
    """What a value does with the column; it decides how PostgreSQL would convert and check it."""

    ASSIGN = "assign"
    """Stored: assignment casts, the column's modifier is enforced (22001, 22003)."""
    COMPARE = "compare"
    """Met by =, <>, IN, <, BETWEEN...: no modifier is enforced; a value that the column cannot hold (too long, out of
    range, finer than its scale) becomes a probe that compares as the value would and equals nothing stored."""
    CARRY = "carry"
    """Stands beside stored values and may be shown as one of them: coalesce, CASE, UNION, VALUES, lag's default... The
    column's modifier is neither applied nor enforced: a value that storing it in the column would change (too long,
    rounded, a numeric of another scale) is refused, since the result would not show it as PostgreSQL does."""
    SHOW = "show"
    """As CARRY, where the value can only be shown: sealed with the random scheme, in the form that is shown."""
    RANK = "rank"
    """As CARRY, where the value is only compared and sorted with stored values: sealed in the form of an equal one."""
    PREFIX_LOW = "prefix low"
    """LIKE 'x%' on an ordered text column, rewritten to `>= low AND < high`: the smallest value with the prefix."""
    PREFIX_HIGH = "prefix high"
    """... and the upper bound, which is above every value that has the prefix and below all others."""
    LIKE = "like"
    """A LIKE pattern that comes as a parameter, rewritten to `=`: it must have no wildcard when it comes."""
    LIKE_LOW = "like low"
    """A LIKE pattern that comes as a parameter, rewritten to `>= low AND < high`: `x%`, or one without wildcards."""
    LIKE_HIGH = "like high"
    """... and the upper bound."""


@dataclass(frozen=True, slots=True)
class Sealing:
    """How one value from the client becomes sealed bytes of `column`."""

    column: SealedColumn
    use: Use
    source: SqlType | None = None
    """Type the value arrives as: declared by the client, or of its literal or innermost cast. None: an untyped
    literal or parameter, which PostgreSQL reads with the input function of what it meets."""
    casts: tuple[SqlType, ...] = ()
    """Explicit casts written around the value, innermost first, with the rules of an explicit cast."""
    is_array: bool = False
    """The value is an array whose elements are sealed one by one (`= ANY($1)`); the server gets bytea[]."""
    pieces: tuple[str | None, ...] = (None,)
    """LIKE, LIKE_LOW, LIKE_HIGH: what the pattern is joined of, None for a parameter (`LIKE $1 || '%'`)."""
    escape: str | None = "\\"
    """LIKE, LIKE_LOW, LIKE_HIGH: the escape character; "" for no such, None for the last parameter."""

    @property
    def client_type(self) -> SqlType:
        """The type that ParameterDescription reports for a parameter sealed this way."""
        if self.source is not None:
            return self.source
        kind = self.column.type.unmodified
        if self.use is not Use.ASSIGN and kind.facts.name == "character varying":
            kind = TEXT  # varchar has no operators of its own: PostgreSQL resolves the parameter as text
        return kind.array if self.is_array else kind


@dataclass(frozen=True, slots=True)
class LiteralSlot:
    """A literal cut out of the statement: sealed anew at each execution and spliced into `Plan.template`."""

    text: str
    """The literal's value, unescaped, as input text for `sealing.source` (or for the column's type where None)."""
    sealing: Sealing


@dataclass(frozen=True, slots=True)
class ServerParam:
    """One parameter of the statement as the server sees it."""

    client: int
    """Index from 0 of the client's parameter that feeds it; two server parameters may share one."""
    sealing: Sealing | None = None
    """None: the client's bytes and format pass through."""
    more: tuple[int, ...] = ()
    """Further parameters of the client that the one sealed value is made of: the elements of an array, or the escape
    character of a pattern."""
    is_joined: bool = False
    """The sealed value is made of several, or of the one element of an array."""
    absorbed: int = 0
    """Not 0: the value goes into another parameter's, and the server gets NULL. OID of the type for the client."""


@dataclass(frozen=True, slots=True)
class Opening:
    """A result column that holds sealed values."""

    column: SealedColumn
    type: SqlType
    """What RowDescription reports to the application; is_array: the server returns bytea[] (array_agg)."""
    origin: tuple[int, int] | None = None
    """(table OID, attribute number) that RowDescription must show where the column is a plain reference."""
    is_mixed: bool = False
    """True: some of the values may be sealed by Use.SHOW."""
    fields: tuple[Opening | None, ...] | None = None
    """A record: what to open in it; `column` and `type` are those of its first sealed field."""


class Effect(enum.Flag):
    """What a statement may change that later analyses depend on. Taken to have happened as soon as it is sent."""

    NONE = 0
    CATALOG = enum.auto()
    """DDL: the catalog snapshot is stale."""
    SETTINGS = enum.auto()
    """SET, RESET, set_config(), DISCARD, SET ROLE...: search_path and output settings must be read again."""
    DEALLOCATE_ALL = enum.auto()
    """DISCARD ALL / DEALLOCATE ALL: prepared statements of the session are gone."""
    CLOSE_ALL = enum.auto()
    """CLOSE ALL / DISCARD ALL: cursors and portals are gone."""
    TRANSACTION = enum.auto()
    """BEGIN, COMMIT, ROLLBACK, SAVEPOINT...: allowed in a failed transaction, touches no table."""


class CopyFormat(enum.StrEnum):
    TEXT = "text"
    CSV = "csv"
    BINARY = "binary"


@dataclass(frozen=True, slots=True)
class CopyPlan:
    """COPY of a table or query with sealed columns: one entry per copied column, in order; None is plain."""

    is_from: bool
    format: CopyFormat
    columns: tuple[SealedColumn | None, ...]
    types: tuple[SqlType | None, ...]
    delimiter: str = "\t"
    null: str = "\\N"
    quote: str = '"'
    escape: str = '"'
    header: bool = False
    encoding: str | None = None
    force_quote: frozenset[int] = frozenset()
    force_not_null: frozenset[int] = frozenset()
    force_null: frozenset[int] = frozenset()
    default: str | None = None


class ExecuteUse(enum.Enum):
    """What becomes of the rows of an EXECUTE."""

    RUN = "run"
    EXPLAIN = "explain"
    """EXPLAIN EXECUTE: the rows are those of the plan."""
    TABLE = "table"
    """CREATE TABLE AS EXECUTE: they are stored in a table of their own."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A literal as an argument: `text` None is NULL; `source` and `casts` as those of a Sealing."""

    text: str | None
    source: SqlType | None = None
    casts: tuple[SqlType, ...] = ()

    @property
    def type(self) -> SqlType | None:
        """None: unknown, as PostgreSQL calls it."""
        return self.casts[-1] if self.casts else self.source


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of an EXECUTE."""

    text: str | None
    """As SQL; None where it cannot be printed faithfully."""
    literal: Literal | None
    """None: an expression that the server computes."""


@dataclass(frozen=True, slots=True)
class Execution:
    """EXECUTE of a prepared statement of SQL or of the protocol: what its arguments are sealed for, and what comes
    back, is known when the session looks the name up. `head` and `tail` are the SQL around the arguments."""

    name: str
    arguments: tuple[Argument, ...] = ()
    head: str = ""
    tail: str = ""
    use: ExecuteUse = ExecuteUse.RUN


@dataclass(frozen=True, slots=True)
class Plan:
    """One statement.

    `template` None: the client's own bytes are forwarded. Otherwise len(literals) + 1 pieces of SQL; between piece i
    and i+1 goes sealed literal i as `E'\\\\x<hex>'` (the pieces already hold the cast around it). `template` never
    contains a literal that belongs to a sealed column, nor comments.
    """

    template: tuple[str, ...] | None = None
    literals: tuple[LiteralSlot, ...] = ()
    params: tuple[ServerParam, ...] | None = None
    """None: parameters pass through one to one, as many as there are."""
    results: tuple[Opening | None, ...] | None = None
    """None: no result column is sealed. Otherwise one entry per result column, in order."""
    effects: Effect = Effect.NONE
    copy: CopyPlan | None = None
    tables: frozenset[int] = frozenset()
    """OIDs of the relations it reads or writes that carry sealed columns (for logs and invalidation)."""
    executes: Execution | None = None
    """EXECUTE: the session completes this plan by that of the prepared statement (`proxy.sql.execution.complete`)."""
    prepares: Preparation | None = None
    """PREPARE makes this statement."""
    fetches: str | None = None
    """FETCH reads this cursor, or portal of the protocol: the session takes the results from its plan."""
    declares: Cursor | None = None
    """DECLARE opens this cursor."""
    deallocates: str | None = None
    """DEALLOCATE of one prepared statement, of SQL or of the protocol."""
    closes: str | None = None
    """CLOSE of one cursor or portal."""
    explains: bool = False
    """EXPLAIN: its rows are text, in which sealed literals are printed."""
    tag: str = ""
    """First word(s) of the command, as in its CommandComplete tag: SELECT, INSERT, CREATE TABLE. For logs."""

    @property
    def touches_sealed(self) -> bool:
        return bool(self.literals or self.results or self.copy or (self.params and any(p.sealing for p in self.params)))


@dataclass(frozen=True, slots=True)
class Preparation:
    """What PREPARE makes. `types` are the OIDs of the types declared, 0 for one not declared or not known here;
    `plan` is that of the statement inside, whose text, sealed literals included, the server keeps."""

    name: str
    types: tuple[int, ...]
    plan: Plan


@dataclass(frozen=True, slots=True)
class Cursor:
    """What DECLARE opens; `plan` is that of its query."""

    name: str
    plan: Plan
    is_held: bool = False
    """WITH HOLD: it outlives its transaction."""
    is_binary: bool = False
    """BINARY: FETCH in the simple protocol gives its rows in binary."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a Query string: `start`/`end` are character offsets into the text that was analysed."""

    start: int
    end: int
    plan: Plan


@dataclass(frozen=True, slots=True)
class Failure:
    """The statement at this place is refused, or would fail in PostgreSQL itself; those before it still run."""

    start: int
    end: int
    error: Exception = field(compare=False)
