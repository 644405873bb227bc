"""The life of a data key: made, primary, active, retired; the life of a wrap; and nothing half done in between."""

from __future__ import annotations

import base64
import json
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from proxy.config import Keys, Policy, Scheme, SealedColumn
from proxy.crypto import FileProvider, Keyring, make_provider, parse_header
from proxy.crypto.files import locked, replace_secret
from proxy.crypto.keyfile import edit_keyfile, read_keyfile
from proxy.crypto.providers import EnvProvider
from proxy.errors import CannotOpen, KeyringError
from proxy.ops import rotation
from proxy.ops.keys import list_keys, prepare_keys, values_under, verify_keys
from proxy.ops.rotation import Move, create_key, domains_of, restore, retire, rotate
from proxy.pgtypes import parse_type

DOMAINS = {"notes": False, "email": True, "born": True}


def column(domain: str, scheme: Scheme, keyset: str = "") -> SealedColumn:
    return SealedColumn("*", "public", "t", domain, parse_type("integer"), scheme, domain, keyset=keyset)


NOTES = column("notes", Scheme.RANDOM)
EMAIL = column("email", Scheme.EQUALITY)
BORN = column("born", Scheme.ORDER)
VALUE = bytes(4)


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    made = Keys(tmp_path / "keyring.json", "file", str(tmp_path / "master.key"))
    prepare_keys(made)
    return made


def load(keys: Keys) -> Keyring:
    return Keyring.load(keys.keyring, make_provider(keys))


def sealed_under(keyring: Keyring, which: SealedColumn) -> int:
    return parse_header(keyring.sealer(which).seal(VALUE))[1]


def test_a_created_key_opens_and_does_not_seal_yet(keys: Keys) -> None:
    first = load(keys).primary
    made = create_key(keys, "second")
    after = load(keys)
    assert (made.state, made.name, after.primary) == ("active", "second", first)
    assert after.data_key(made.id) != after.data_key(first)
    value = after.sealer(NOTES, key_id=made.id).seal(VALUE)
    assert after.sealer(NOTES).open(value) == VALUE


def test_after_a_rotation_random_columns_use_the_new_key_and_searchable_ones_the_old(keys: Keys) -> None:
    before = load(keys)
    values = {which: before.sealer(which).seal(VALUE) for which in (NOTES, EMAIL, BORN)}
    done = rotate(keys, DOMAINS, name="second")
    after = load(keys)
    assert done.key.id == after.primary != before.primary
    assert after.keys[before.primary].state == "active"
    assert done.moves == {"notes": Move.NOW, "email": Move.RESEAL, "born": Move.RESEAL}
    assert {which.domain: sealed_under(after, which) for which in values} == {
        "notes": after.primary,
        "email": before.primary,
        "born": before.primary,
    }
    assert after.sealer(EMAIL).seal(VALUE) == values[EMAIL], "searches still find what was there"
    assert all(after.sealer(which).open(value) == VALUE for which, value in values.items())
    assert [after.next_key(which.domain) for which in (NOTES, EMAIL, BORN)] == [None, after.primary, after.primary]


def test_a_reseal_seals_under_the_next_key_and_then_pins_it(keys: Keys) -> None:
    old_value = load(keys).sealer(EMAIL).seal(VALUE)
    rotate(keys, DOMAINS, name="second")
    keyring = load(keys)
    wanted = keyring.next_key("email")
    assert wanted == keyring.primary
    moving = keyring.sealer(EMAIL, key_id=wanted)
    new_value = moving.seal(moving.open(old_value))
    assert parse_header(new_value)[1] == wanted
    assert keyring.sealer(EMAIL).seal(VALUE) == old_value

    keyring.pin("email", wanted)
    for source in (keyring, load(keys)):
        assert source.sealer(EMAIL).seal(VALUE) == new_value
        assert source.next_key("email") is None
        assert source.next_key("born") == wanted


def test_a_second_rotation_does_not_move_a_column_that_still_waits_for_the_first(keys: Keys) -> None:
    first = load(keys).primary
    rotate(keys, DOMAINS, name="second")
    rotate(keys, DOMAINS, name="third")
    after = load(keys)
    assert sealed_under(after, EMAIL) == first
    assert after.next_key("email") == after.primary
    assert sealed_under(after, NOTES) == after.primary


def test_one_domain_can_be_rotated_alone(keys: Keys) -> None:
    first = load(keys).primary
    random = rotate(keys, DOMAINS, name="for notes", only=["notes"])
    compared = rotate(keys, DOMAINS, name="for email", only=["email"])
    after = load(keys)
    assert after.primary == first
    assert (sealed_under(after, NOTES), sealed_under(after, EMAIL)) == (random.key.id, first)
    assert after.next_key("email") == compared.key.id
    assert after.next_key("born") is None
    after.pin("email", compared.key.id)
    assert load(keys).next_key("email") is None, "it stays under its own key until the next rotation"
    assert read_keyfile(keys.keyring).next == {}
    rotate(keys, DOMAINS, name="for all")
    again = load(keys)
    assert sealed_under(again, NOTES) == again.primary
    assert sealed_under(again, EMAIL) == compared.key.id


def test_a_rotation_may_use_a_key_that_every_proxy_knows_already(keys: Keys) -> None:
    made = create_key(keys, "second")
    assert rotate(keys, DOMAINS, name="", key_id=made.id).key.id == made.id
    assert load(keys).primary == made.id
    assert len(read_keyfile(keys.keyring).keys) == 2


def test_a_rotation_back_to_the_first_key_is_possible(keys: Keys) -> None:
    first = load(keys).primary
    rotate(keys, DOMAINS, name="second")
    rotate(keys, DOMAINS, name="", key_id=first)
    after = load(keys)
    assert after.primary == first
    assert after.next_key("email") is None


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda keys: rotate(keys, DOMAINS, name="x", only=["fax"]), "'fax' is not in the policy; its domains: born,"),
        (lambda keys: rotate(keys, DOMAINS, name="x", key_id=7), "there is no key 7; its keys: "),
        (lambda keys: create_key(keys, " "), "a key's name is printable"),
        (lambda keys: create_key(keys, "a\nb"), "a key's name is printable"),
        (lambda keys: retire(keys, 7, holders=[]), "there is no key 7"),
        (lambda keys: restore(keys, load(keys).primary), "is primary, not retired"),
        (lambda keys: rotation.confirm_rewrap(keys), "no rewrap is under way"),
        (lambda keys: rotation.abort_rewrap(keys), "no rewrap is under way"),
        (lambda keys: rotation.begin_rewrap(keys, make_provider(keys)), "is wrapped by file, key "),
        (lambda keys: load(keys).pin("email", 7), "key 7 is not in the keyring"),
        (lambda keys: load(keys).sealer(EMAIL, key_id=7), "key 7 is not in the keyring"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line_and_changes_nothing(
    keys: Keys, attempt: Callable[[Keys], object], message: str
) -> None:
    before = keys.keyring.read_bytes()
    with pytest.raises(KeyringError) as caught:
        attempt(keys)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert keys.keyring.read_bytes() == before


def test_a_key_is_retired_only_when_nothing_needs_it(keys: Keys) -> None:
    first = load(keys).primary
    value = load(keys).sealer(NOTES).seal(VALUE)
    with pytest.raises(KeyringError, match="is primary: rotate first"):
        retire(keys, first, holders=[])
    rotate(keys, DOMAINS, name="second")
    with pytest.raises(KeyringError, match="seals, or is to seal, born, email: reseal first"):
        retire(keys, first, holders=None, force=True)
    keyring = load(keys)
    for domain in ("email", "born"):
        keyring.pin(domain, keyring.primary)
    with pytest.raises(KeyringError, match="may still exist, and would never open again"):
        retire(keys, first, holders=None)
    with pytest.raises(KeyringError, match=r"still exist in shop: public\.t\.a: reseal"):
        retire(keys, first, holders=["shop: public.t.a"])
    assert retire(keys, first, holders=[]).state == "retired"
    with pytest.raises(CannotOpen, match="retired key"):
        load(keys).sealer(NOTES).open(value)
    with pytest.raises(KeyringError, match="is retired"):
        load(keys).sealer(NOTES, key_id=first)
    with pytest.raises(KeyringError, match="is retired"):
        rotate(keys, DOMAINS, name="", key_id=first)
    assert restore(keys, first).state == "active"
    assert load(keys).sealer(NOTES).open(value) == VALUE


def test_force_retires_what_may_still_have_values(keys: Keys) -> None:
    made = create_key(keys, "unused")
    assert retire(keys, made.id, holders=None, force=True).state == "retired"


async def test_values_under_a_key_are_found_wherever_they_are(keys: Keys, database) -> None:
    import asyncpg

    from proxy.ops.schema import install

    old = load(keys)
    rotate(keys, DOMAINS, name="second")
    new = load(keys)
    connection = await asyncpg.connect(database.dsn)
    try:
        await install(connection)
        await connection.execute(
            'CREATE SCHEMA "My Schema";'
            'CREATE TABLE "My Schema"."T" (id int, "A b" sealwire.sealed, c sealwire.sealed);'
            "CREATE TABLE parts (id int, v sealwire.sealed) PARTITION BY RANGE (id);"
            "CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM (0) TO (9)"
        )
        await connection.execute(
            'INSERT INTO "My Schema"."T" VALUES (1, $1, $2)',
            old.sealer(NOTES).seal(VALUE),
            new.sealer(NOTES).seal(VALUE),
        )
        await connection.execute("INSERT INTO parts VALUES (1, NULL), (2, $1)", old.sealer(EMAIL).seal(VALUE))
        assert await values_under(connection, old.primary) == ["My Schema.T.A b", "public.part_1.v"]
        assert await values_under(connection, new.primary) == ["My Schema.T.c"]
        assert await values_under(connection, 1) == []
    finally:
        await connection.close()


def test_a_rewrap_leaves_both_master_keys_in_force_until_it_is_confirmed(
    keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_key(keys, "second")
    before = {key: load(keys).data_key(key) for key in load(keys).keys}
    monkeypatch.setenv("NEW_MASTER", base64.b64encode(os.urandom(32)).decode())
    moved = Keys(keys.keyring, "env", "NEW_MASTER")
    with pytest.raises(KeyringError, match="needs provider 'file', not 'env'"):
        load(moved)

    assert rotation.begin_rewrap(keys, EnvProvider("NEW_MASTER")) == []
    for master in (keys, moved):
        assert {key: load(master).data_key(key) for key in load(master).keys} == before
    for attempt in (lambda: create_key(keys, "x"), lambda: rotate(keys, DOMAINS, name="x")):
        with pytest.raises(KeyringError, match="is being rewrapped: end that first"):
            attempt()
    with pytest.raises(KeyringError, match="does not open the new wrap of key .*; put the new one there before"):
        rotation.confirm_rewrap(keys)

    rotation.confirm_rewrap(moved)
    assert {key: load(moved).data_key(key) for key in load(moved).keys} == before
    with pytest.raises(KeyringError, match="needs provider 'env', not 'file'"):
        load(keys)
    assert "next" not in keys.keyring.read_text()


def test_a_rewrap_may_be_taken_back(keys: Keys, tmp_path: Path) -> None:
    before = json.loads(keys.keyring.read_text())
    other = FileProvider.create(tmp_path / "other.key")
    rotation.begin_rewrap(keys, other)
    moved = Keys(keys.keyring, "file", str(tmp_path / "other.key"))
    load(moved)
    with pytest.raises(KeyringError, match="is master key"):
        rotation.abort_rewrap(moved)
    rotation.abort_rewrap(keys)
    assert json.loads(keys.keyring.read_text()) == before


def test_a_rewrap_to_a_master_key_that_does_not_give_back_what_it_got_changes_nothing(keys: Keys) -> None:
    class Broken(EnvProvider):
        def reference(self) -> str:
            return "broken"

        def wrap(self, payload: bytes) -> bytes:
            return payload

        def unwrap(self, wrapped: bytes, reference: str) -> bytes:
            return bytes(len(wrapped))

    before = keys.keyring.read_bytes()
    with pytest.raises(KeyringError, match="gave back something else"):
        rotation.begin_rewrap(keys, Broken("X"))
    assert keys.keyring.read_bytes() == before


def test_a_retired_key_that_does_not_unwrap_does_not_stop_a_rewrap(keys: Keys, tmp_path: Path) -> None:
    made = create_key(keys, "lost")
    retire(keys, made.id, holders=[])
    content = json.loads(keys.keyring.read_text())
    content["keys"][1]["wrapped"] = base64.b64encode(bytes(48)).decode()
    keys.keyring.write_text(json.dumps(content))
    other = FileProvider.create(tmp_path / "other.key")
    assert rotation.begin_rewrap(keys, other) == [made.id]
    moved = Keys(keys.keyring, "file", str(tmp_path / "other.key"))
    rotation.confirm_rewrap(moved)
    assert load(moved).primary == load(moved).primary


def test_many_writers_at_once_lose_nothing(keys: Keys) -> None:
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda number: create_key(keys, f"key {number}"), range(12)))
    assert {entry.id for entry in read_keyfile(keys.keyring).keys} == {entry.id for entry in made} | {
        load(keys).primary
    }
    assert len(load(keys).keys) == 13


def test_a_replaced_keyring_is_private_and_leaves_nothing_behind(keys: Keys) -> None:
    keys.keyring.chmod(0o644)
    create_key(keys, "second")
    assert stat.S_IMODE(keys.keyring.stat().st_mode) == 0o600
    assert sorted(path.name for path in keys.keyring.parent.iterdir()) == ["keyring.json", "master.key"]


def test_a_keyring_behind_a_symbolic_link_is_replaced_where_it_is(keys: Keys, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    link = tmp_path / "etc" / "keyring.json"
    link.symlink_to(keys.keyring)
    made = create_key(Keys(link, keys.provider, keys.master_key), "second")
    assert link.is_symlink()
    assert made.id in load(keys).keys


def test_a_keyring_keeps_its_owner(keys: Keys) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(keys.keyring, 12345, 12346)
    create_key(keys, "second")
    facts = keys.keyring.stat()
    assert (facts.st_uid, facts.st_gid, stat.S_IMODE(facts.st_mode)) == (12345, 12346, 0o600)


def test_a_change_that_fails_leaves_the_file_as_it_was(keys: Keys) -> None:
    before = keys.keyring.read_bytes()
    with pytest.raises(KeyringError, match="exactly one key must be primary"):
        edit_keyfile(keys.keyring, lambda file: file.model_copy(update={"keys": ()}))
    with pytest.raises(KeyringError, match="cannot be written: No such file"):
        replace_secret(keys.keyring.with_name("none.json"), b"{}")
    assert keys.keyring.read_bytes() == before
    assert not list(keys.keyring.parent.glob(".*"))


def test_a_writer_that_waits_too_long_gives_up(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.crypto.files._LOCK_LIMIT", 0.0)
    with locked(keys.keyring), pytest.raises(KeyringError, match="is being changed by another process; try again"):
        create_key(keys, "second")


def test_the_list_tells_which_domains_wait_for_which_key(keys: Keys) -> None:
    first = load(keys).primary
    done = rotate(keys, DOMAINS, name="second")
    other = rotate(keys, DOMAINS, name="third", only=["born"])
    load(keys).pin("email", done.key.id)
    found = {report.entry.id: (report.domains, report.awaited_by) for report in list_keys(keys)}
    assert found == {first: (("born",), ()), done.key.id: (("email",), ()), other.key.id: ((), ("born",))}


def test_a_key_that_was_retired_meanwhile_is_not_pinned(keys: Keys) -> None:
    made = create_key(keys, "second")
    keyring = load(keys)
    retire(keys, made.id, holders=[])
    with pytest.raises(KeyringError, match=f"key {made.id} is retired"):
        keyring.pin("email", made.id)


def test_verify_unwraps_every_key_and_names_what_is_wrong(keys: Keys, tmp_path: Path) -> None:
    made = create_key(keys, "second")
    verdicts, problems = verify_keys(keys)
    assert [(found.unwrapped, found.problem) for found in verdicts] == [(True, None)] * 2
    assert problems == []
    content = json.loads(keys.keyring.read_text())
    content["keys"][1]["wrapped"] = content["keys"][0]["wrapped"]
    keys.keyring.write_text(json.dumps(content))
    keys.keyring.chmod(0o640)
    verdicts, problems = verify_keys(keys)
    assert [found.entry.id for found in verdicts if found.problem] == [made.id]
    assert "belongs to another key" in str(verdicts[1].problem)
    assert problems == [f"the keyring has mode 0640, open to group or others; run: chmod 600 {keys.keyring}"]


def test_verify_holds_both_wraps_of_a_rewrap_against_each_other(keys: Keys, tmp_path: Path) -> None:
    other = FileProvider.create(tmp_path / "other.key")
    assert [found.problem for found in verify_keys(keys, other)[0]] == ["has no second wrap"]
    rotation.begin_rewrap(keys, other)
    assert [found.problem for found in verify_keys(keys, other)[0]] == [None]
    content = json.loads(keys.keyring.read_text())
    key_id = content["keys"][0]["id"]
    forged = other.wrap(b"SWK1" + key_id.to_bytes(4, "big") + bytes(32))
    content["keys"][0]["next"]["wrapped"] = base64.b64encode(forged).decode()
    keys.keyring.write_text(json.dumps(content))
    assert [found.problem for found in verify_keys(keys, other)[0]] == ["its two wraps hold different keys"]


def test_the_domains_of_a_policy_are_those_of_one_keyset() -> None:
    columns = (NOTES, EMAIL, column("email", Scheme.RANDOM), column("theirs", Scheme.ORDER, keyset="tenant"))
    assert domains_of(Policy(columns), "") == {"notes": False, "email": True}
    assert domains_of(Policy(columns), "tenant") == {"theirs": True}


def test_a_domain_that_waits_is_settled_by_hand_and_no_other(keys: Keys) -> None:
    old = load(keys).primary
    new = rotate(keys, {"a": True, "b": True}, name="second").key.id
    with pytest.raises(KeyringError, match="domain 'c' does not wait to be resealed; waiting: a, b"):
        rotation.settle(keys, ["a", "c"])
    assert load(keys).next_key("a") == new
    assert rotation.settle(keys, ["a"]) == {"a": new}
    opened = load(keys)
    assert (opened.sealing_key("a"), opened.next_key("a")) == (new, None)
    assert (opened.sealing_key("b"), opened.next_key("b")) == (old, new)
