"""Names of statements and portals between asking and acknowledging."""

from __future__ import annotations

import pytest

from proxy.session.names import UNSETTLED, Change, Names


def test_the_change_asked_for_last_is_what_its_batch_finds() -> None:
    names: Names[str] = Names()
    names.put(b"a", "known")
    names.change(b"a", "new", 1)
    names.change(None, None, 1)
    assert names.look(b"a", 1) is None
    assert names.look(b"b", 1) is None
    names.change(b"a", "newer", 1)
    assert names.look(b"a", 1) == "newer"
    assert names.look(b"a", 2) is UNSETTLED
    assert names.look(b"b", 2) is UNSETTLED, "all names may be gone by then"


def test_what_is_settled_in_any_order_is_known_or_forgotten() -> None:
    names: Names[str] = Names()
    first, second, third = (names.change(b"a", value, 1) for value in ("1", "2", "3"))
    second.settle(happened=False)
    first.settle(happened=True)
    assert names.known == {b"a": "1"}
    assert names.named() == {b"a"}
    third.settle(happened=True)
    assert names.look(b"a", 2) == "3"


class _Counted(bytes):
    """A name that counts with how many others it is compared."""

    compared = 0

    def __eq__(self, other: object) -> bool:
        _Counted.compared += 1
        return bytes(self) == other

    __hash__ = bytes.__hash__

    def __getitem__(self, at: object) -> _Counted:  # type: ignore[override]
        return self


@pytest.mark.parametrize("count", [100, 1000])
def test_a_look_into_a_long_pipeline_does_not_go_through_it(count: int) -> None:
    names: Names[int] = Names()
    changes: list[Change[int]] = [names.change(_Counted(b"s%d" % at), at, 1) for at in range(count)]
    _Counted.compared = 0
    assert names.look(_Counted(b"s5"), 1) == 5
    assert names.look(_Counted(b"never"), 1) is None
    changes[count // 2].settle(happened=True)
    assert _Counted.compared < 10
