"""Values beside sealed ones: the form that each is sealed in follows from what becomes of it."""

from __future__ import annotations

import pytest

from proxy.sql.plan import Use
from tests.sql.query_catalog import analyse


@pytest.mark.parametrize(
    ("text", "uses"),
    [
        ("SELECT coalesce(email, 'a') FROM customers", [Use.SHOW]),
        ("SELECT email FROM customers UNION ALL SELECT 'a'", [Use.SHOW]),
        ("SELECT e FROM (SELECT CASE WHEN id = 1 THEN 'a' ELSE email END AS e FROM customers) s", [Use.SHOW]),
        ("SELECT lag(email, 1, 'a') OVER () FROM customers", [Use.SHOW]),
        ("SELECT array_agg(coalesce(email, 'a')) FROM customers", [Use.SHOW]),
        ("SELECT id FROM customers WHERE coalesce(email, 'a') <> email", [Use.RANK]),
        ("SELECT id FROM customers ORDER BY coalesce(born, '2000-01-01')", [Use.RANK]),
        ("SELECT count(DISTINCT coalesce(email, 'a')) FROM customers", [Use.RANK]),
        ("SELECT id FROM customers GROUP BY id, coalesce(email, 'a')", [Use.CARRY]),
        ("SELECT coalesce(email, 'a') FROM customers ORDER BY coalesce(born, '2000-01-01')", [Use.SHOW, Use.RANK]),
        ("SELECT coalesce(born, '2000-01-01') FROM customers ORDER BY 1", [Use.CARRY]),
        ("SELECT DISTINCT coalesce(email, 'a') FROM customers", [Use.CARRY]),
        ("SELECT coalesce(email, 'a') FROM customers GROUP BY coalesce(email, 'a')", [Use.CARRY, Use.CARRY]),
        ("SELECT email FROM customers UNION SELECT 'a'", [Use.CARRY]),
        ("SELECT e FROM (SELECT coalesce(email, 'a') AS e FROM customers) s WHERE e = 'b'", [Use.CARRY, Use.COMPARE]),
        ("SELECT max(coalesce(born, '2000-01-01')) FROM customers", [Use.CARRY]),
        ("SELECT nullif(coalesce(email, 'a'), 'b') FROM customers", [Use.CARRY, Use.COMPARE]),
        ("SELECT (SELECT coalesce(email, 'a')) = email FROM customers", [Use.RANK]),
        ("UPDATE customers SET email = coalesce(email, 'a')", [Use.ASSIGN]),
        ("UPDATE customers SET email = (CASE id WHEN 1 THEN 'a' ELSE 'b' END)::varchar(9)", [Use.ASSIGN, Use.ASSIGN]),
        ("INSERT INTO customers (email) SELECT DISTINCT coalesce(email, 'a') FROM customers", [Use.CARRY]),
    ],
)
def test_the_form_of_a_value_follows_its_use(text: str, uses: list[Use]) -> None:
    assert [slot.sealing.use for slot in analyse(text).literals] == uses


def test_only_results_that_may_hold_shown_values_are_opened_as_such() -> None:
    results = analyse("SELECT email, coalesce(email, 'a') FROM customers").results
    assert results is not None
    assert [result is not None and result.is_mixed for result in results] == [False, True]
