"""The grammar: a random conversation. Everything comes from one random.Random, so a seed names a conversation."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence
from typing import Final

from tests.differential.statements import (
    CONTROL,
    COPY_IN,
    COPY_OUT,
    CURSORS,
    PLAIN,
    PREPARABLE,
    SEALED,
    Parameter,
)
from tests.differential.words import COPY_DONE, FLUSH, SYNC, TERMINATE, Burst, Conversation, Wait, Word, word

_NAMES: Final = ("", "", "", "s", "t", "é", 'S "x"', "n" * 70)
_PORTALS: Final = ("", "", "", "p", "q", "c", "k", "P" * 64)
_LIMITS: Final = (0, 0, 0, 1, 2, -1)
_INTEGER: Final = struct.Struct("!i").pack
_PREPARABLE_ALONE: Final = tuple(one for one in (*PLAIN, *CONTROL, *CURSORS, *SEALED) if ";" not in one)

_FUNCTIONS: Final[tuple[tuple[object, ...], ...]] = (
    (1257, b"three"),
    (1257, None),
    (154, _INTEGER(7), _INTEGER(2)),
    (154, _INTEGER(7), _INTEGER(0)),
    (154, _INTEGER(7)),
    (4_000_000, _INTEGER(1)),
    (715, _INTEGER(77_001)),
    (952, _INTEGER(77_001), _INTEGER(0x60000)),
    (955, _INTEGER(0), b"large"),
    (954, _INTEGER(0), _INTEGER(40)),
    (953, _INTEGER(0)),
    (964, _INTEGER(77_001)),
    (956, _INTEGER(0), _INTEGER(1), _INTEGER(0)),
)

_MALFORMED: Final = (
    ("message", b"D", b"X\0"),
    ("message", b"C", b"X\0"),
    ("message", b"C", b"P\0xx"),
    ("message", b"P", b"no end"),
    ("message", b"E", b"abc\0\0"),
    ("message", b"E", b"abc\0\0\0\0\0x"),
    ("message", b"B", b"\0\0\0\1\0\0\0\5"),
    ("message", b"Q", b"abc"),
    ("message", b"Q", b"SELECT 1\0x"),
    ("message", b"P", b"\xff\xfe\0SELECT 1\0\0\0"),
    ("message", b"P", b"s\0SELECT '\xff'\0\0\0"),
    ("message", b"C", b"S\xff\0"),
    ("message", b"F", b"\0\0\4\xe9\0\1\0\1\0\2\0\0\0\0\0\1"),
    ("message", b"B", b"\0\0\0\0\0\1\0\0\0\x7fabc\0\0"),
    ("message", b"P", b"\0SELECT $1\0\0\2\0\0\0\x17"),
)
_ENDINGS: Final = (("message", b"p", b"x\0"), ("message", b"\xff", b""), ("message", b"y", b"why"))


class _Writer:
    """One conversation in the making."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.bursts: list[Burst] = []

    # -- chance --------------------------------------------------------------------------------------------------------

    def _chance(self, part: float) -> bool:
        return self._random.random() < part

    def _say(self, words: Sequence[Word], wait: Wait = "mark") -> None:
        size = sum(len(one.raw) for one in words)
        cuts: tuple[int, ...] = ()
        if size and self._chance(0.15):
            cuts = tuple(sorted(self._random.randrange(size) for _ in range(self._random.randint(1, 6))))
        self.bursts.append(Burst(tuple(words), wait, cuts))

    # -- messages ------------------------------------------------------------------------------------------------------

    def _text(self) -> str:
        """The text of one statement for Query."""
        pool = self._random.choices((PLAIN, CONTROL, CURSORS, SEALED, COPY_OUT), (8, 3, 3, 7, 1))[0]
        return self._random.choice(pool)

    def _query(self) -> Word:
        count = self._random.choices((1, 2, 3, 4), (12, 4, 2, 1))[0]
        text = "; ".join(self._text() for _ in range(count))
        if self._chance(0.05):
            text = f"/* {'padding ' * 600} */ {text};"
        return word("query", text)

    def _parse(self, name: str) -> tuple[Word, tuple[Parameter, ...]]:
        if self._chance(0.45):
            return word("parse", self._random.choice(_PREPARABLE_ALONE), name), ()
        text, parameters = self._random.choice(PREPARABLE)
        declared: list[int] = []
        if self._chance(0.3):
            declared = [one.oid if self._chance(0.8) else 0 for one in parameters]
            if self._chance(0.15):
                declared = [self._random.choice((16, 20, 1184, 600)) for _ in (*parameters, None)]
        return word("parse", text, name, *declared), parameters

    def _bind(self, parameters: Sequence[Parameter], statement: str, portal: str) -> Word:
        shape = self._random.choices(("none", "one", "each"), (5, 3, 3))[0]
        formats = [self._random.randint(0, 1) for _ in parameters] if shape == "each" else []
        if shape == "one":
            formats = [self._random.randint(0, 1)]
        values: list[bytes | None] = []
        for at, parameter in enumerate(parameters):
            binary = formats[0 if len(formats) == 1 else at] if formats else 0
            values.append(self._random.choice(parameter.binaries if binary else parameter.texts))
            if self._chance(0.08):
                values[-1] = self._random.choice((None, b"", b"malformed", b"\xff", b"\0"))
        if self._chance(0.06):
            values = self._random.choice((values[:-1], [*values, b"1"]))
        if self._chance(0.04):
            formats = self._random.choice(([2], [0, 0, 0, 0, 0], [1, 7]))
        results = self._random.choices(((), (0,), (1,), (0, 1), (1, 0, 0, 1), (5,)), (9, 3, 5, 1, 1, 0.5))[0]
        options: dict[str, object] = {}
        if statement:
            options["statement"] = statement
        if portal:
            options["portal"] = portal
        if formats:
            options["formats"] = tuple(formats)
        if results:
            options["results"] = results
        return word("bind", *values, **options)

    def _batch(self) -> list[Word]:
        """Messages of the extended protocol without Sync, mostly those of a driver."""
        name, portal = self._random.choice(_NAMES), self._random.choice(_PORTALS)
        parsed, parameters = self._parse(name)
        words = [parsed] if self._chance(0.9) else []
        if self._chance(0.4):
            words.append(word("describe", "S", name))
        words.append(self._bind(parameters, name, portal))
        if self._chance(0.5):
            words.append(word("describe", "P", portal))
        words += [
            word("execute", portal, self._random.choice(_LIMITS)) for _ in range(self._random.choice((1, 1, 1, 2, 3)))
        ]
        if self._chance(0.2):
            words.append(word("close", *self._random.choice((("S", name), ("P", portal), ("P", "never")))))
        return words

    def _stray(self) -> Word:
        """One message out of the blue."""
        name, portal = self._random.choice(_NAMES), self._random.choice(_PORTALS)
        makers: Sequence[Callable[[], Word]] = (
            lambda: FLUSH,
            lambda: FLUSH,
            lambda: SYNC,
            lambda: SYNC,
            self._query,
            lambda: word("describe", "S", name),
            lambda: word("describe", "P", portal),
            lambda: word("execute", portal, self._random.choice(_LIMITS)),
            lambda: word("close", "S", name),
            lambda: word("close", "P", portal),
            lambda: self._parse(name)[0],
            lambda: self._bind((), name, portal),
            lambda: word("copy_data", b"stray\n"),
            lambda: COPY_DONE,
            lambda: word("copy_fail", b"stray"),
            lambda: word("function_call", *self._random.choice(_FUNCTIONS)),
            lambda: word(*self._random.choice(_MALFORMED)),
        )
        return self._random.choice(makers)()

    # -- bursts --------------------------------------------------------------------------------------------------------

    def _simple(self) -> None:
        """A Query, its answer waited for as a driver does."""
        self._say([self._query()], frozenset("Z"))

    def _round(self) -> None:
        """What a driver sends for one statement. Behind it nothing is under way, so ReadyForQuery comes once."""
        self._say([*self._batch(), SYNC], frozenset("Z"))

    def _again(self) -> None:
        """One prepared statement, executed several times."""
        text, parameters = self._random.choice(PREPARABLE)
        name = self._random.choice(_NAMES)
        self._say([word("parse", text, name), word("describe", "S", name), SYNC], frozenset("Z"))
        for _ in range(self._random.randint(2, 4)):
            described = [word("describe", "P")] if self._chance(0.5) else []
            self._say([self._bind(parameters, name, ""), *described, word("execute"), SYNC], frozenset("Z"))

    def _flushed(self) -> None:
        """Step by step with Flush, and no Sync before the end."""
        name, portal = self._random.choice(_NAMES), self._random.choice(_PORTALS)
        parsed, parameters = self._parse(name)
        self._say([parsed, FLUSH], frozenset("1E"))
        self._say([self._bind(parameters, name, portal), FLUSH], frozenset("2E"))
        self._say([word("describe", "P", portal), FLUSH], frozenset("TnE"))
        for _ in range(self._random.randint(1, 3)):
            self._say([word("execute", portal, self._random.choice(_LIMITS)), FLUSH], frozenset("CsIE"))
        self._say([])

    def _pipeline(self) -> None:
        """Many messages at once."""
        words: list[Word] = []
        for _ in range(self._random.randint(1, 8)):
            words += self._batch() if self._chance(0.7) else [self._stray()]
            if self._chance(0.35):
                words.append(SYNC)
        self._say(words, "nothing" if self._chance(0.2) else "mark")

    def _wild(self) -> None:
        """Messages in no order."""
        self._say([self._stray() for _ in range(self._random.randint(1, 10))])

    def _copy_in(self) -> None:
        text, pieces = self._random.choice(COPY_IN)
        start = [word("query", text)]
        if self._chance(0.5):
            start = [word("parse", text), word("bind"), word("execute")]
        elif self._chance(0.2):
            start = [word("query", f"{self._text()}; {text}; {self._text()}")]
        data = [word("copy_data", piece) for piece in pieces if self._chance(0.75)]
        for _ in range(self._random.randint(0, 3)):
            data.insert(self._random.randint(0, len(data)), self._random.choice((FLUSH, SYNC)))
        data.append(COPY_DONE if self._chance(0.75) else word("copy_fail", b"no more"))
        if self._chance(0.6):
            self._say([*start, *data, *([] if self._chance(0.5) else [SYNC])])
        else:
            self._say([*start, FLUSH], frozenset("GEZ"))
            for one in data if self._chance(0.5) else ():
                self._say([one], "nothing")
            self._say(data if self._chance(0.3) else [])

    def _copy_out(self) -> None:
        text = self._random.choice(COPY_OUT)
        if self._chance(0.5):
            self._say([word("query", text)], frozenset("Z"))
        else:
            self._say([word("parse", text), word("bind"), word("describe", "P"), word("execute"), SYNC], frozenset("Z"))

    def _broken_copy(self) -> None:
        """A message that has no place in a COPY: the connection ends."""
        text, pieces = self._random.choice(COPY_IN)
        data = [word("copy_data", piece) for piece in pieces[: self._random.randint(0, 2)]]
        last = TERMINATE if self._chance(0.1) else self._stray()
        self._say([word("query", text), *data, last], "mark")

    def _calls(self) -> None:
        self._say([word("query", "BEGIN")], frozenset("Z"))
        for _ in range(self._random.randint(1, 5)):
            self._say([word("function_call", *self._random.choice(_FUNCTIONS))], frozenset("Z"))

    def write(self) -> None:
        kinds: Sequence[Callable[[], None]] = (
            self._simple,
            self._round,
            self._again,
            self._flushed,
            self._pipeline,
            self._wild,
            self._copy_in,
            self._copy_out,
            self._calls,
            self._broken_copy,
        )
        weights = (10, 8, 4, 4, 6, 4, 4, 1, 1, 0.3)
        for _ in range(self._random.randint(1, 9)):
            self._random.choices(kinds, weights)[0]()
        self._say([], "mark")
        ending = self._random.random()
        if ending < 0.1:
            self._say([*self._batch(), word(*self._random.choice(_ENDINGS))], "end")
        elif ending < 0.2:
            self._say([*self._batch(), FLUSH, TERMINATE], "end")
        else:
            self._say([TERMINATE], "end")


def conversation(seed: int) -> Conversation:
    """The conversation of this number."""
    writer = _Writer(seed)
    writer.write()
    return writer.bursts
