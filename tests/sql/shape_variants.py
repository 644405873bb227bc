"""Statements with other literals, and what the cache of plans makes of them beside a fresh analysis."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from proxy.session.plans import Analysis, Plans
from proxy.sql.catalog import SearchPath
from proxy.sql.literals import DECIMAL, INT4, INT8, STRING, WHOLE, Cut, cut, joined
from proxy.sql.plan import Failure, Statement

STRINGS = (
    "'plain'", "''", "'it''s'", "'%'", "'x%'", "'a_b'", "'{a,b}'", "'{}'", "'search_path'", "'application_name'",
    "'customers'", "'SELECT * FROM customers'", "'2001-02-03'", "'5'", "'-- no comment'", "'/*'", "'$1'", "'é ü'",
    "'a' ", "'\n'", "'sealwire:'", "'1 day'", "'t'", "'\x01'", "'\"'",
)  # fmt: skip
NUMBERS = {
    INT4: ("0", "1", "2", "3", "17", "2147483647"),
    INT8: ("2147483649", "99999999999", "9223372036854775807"),
    WHOLE: ("9223372036854775809", "123456789012345678901234567890"),
    DECIMAL: ("0.0", "1.5", "10.00", "12345678901234567890.5"),
}
KINDS = (STRING, *NUMBERS)
PATH = SearchPath()
Run = Callable[[str], list[Statement | Failure]]


def kinds_of(given: Cut) -> list[str]:
    return [character for character in given.shape if character in KINDS]


def variants(text: str, number: int, seed: int) -> Iterator[str]:
    """`number` statements of the same shape."""
    given = cut(text)
    if given is None:
        return
    choice = random.Random(seed)
    for _ in range(number):
        tokens = list(given.tokens)
        for at in choice.sample(range(len(tokens)), choice.randint(1, len(tokens))):
            kind = kinds_of(given)[at]
            tokens[at] = choice.choice(STRINGS if kind == STRING else NUMBERS[kind]).strip(" ")
        yield joined(given.shape, tuple(tokens))


def check(text: str, run: Run, number: int, seed: int) -> int:
    """Every variant's plan from the cache is the one of a fresh analysis. Returns how many came by shape."""
    fresh: list[str] = []

    def analyse(asked: str, types: tuple[int, ...], path: SearchPath) -> Analysis:
        fresh.append(asked)
        return tuple(run(asked))

    plans = Plans(analyse)
    by_shape = 0
    for variant in (text, *variants(text, number, seed)):
        fresh.clear()
        found = plans.plan(variant, (), PATH)
        by_shape += not fresh
        expected = tuple(run(variant))
        assert [str(one) for one in found] == [str(one) for one in expected], variant
        assert found == expected, variant
    return by_shape
