"""The record of a trial: any change of it is found, and what is found says where and what."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doselang.cli import run
from doselang.diagnostics import Trouble
from doselang.record import chain as chain_module
from doselang.record.chain import Chain, Finding, entries_since, examine
from doselang.record.copies import Copy, InForce, in_force, read_copy
from doselang.record.corrections import effective
from doselang.record.entries import (
    FIRST_PREVIOUS,
    LARGEST,
    MOST_ENTRY_BYTES,
    Draft,
    Entry,
    canonical,
    hash_of,
    line_of,
    made,
    read_line,
)
from doselang.record.reading import read, verify
from doselang.record.writing import begin, writing
from tests.documents import ROOT, blocks
from tests.records import PROTOCOL, begun, chain_of, content_of, drafts, time_of

Capture = pytest.CaptureFixture[str]

ENTRIES = chain_of(200)
LINES = [line_of(entry) for entry in ENTRIES]
CONTENT = b"".join(LINES)
HEAD = ENTRIES[-1].hash


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read each line once for all records that have it: `read_line` knows nothing but the line."""
    monkeypatch.setattr(chain_module, "read_line", cache(chain_module.read_line))


def found(content: bytes, head: str | None = HEAD) -> list[Finding]:
    """All that is wrong with a record, given the head that it had."""
    chain = examine(content)
    since = None if head is None else entries_since(chain, head)
    return [*chain.findings, *([since] if isinstance(since, Finding) else [])]


def whats(content: bytes, head: str | None = HEAD) -> list[tuple[str, int | None]]:
    return [(finding.what, finding.number) for finding in found(content, head)]


# ---- any change is found ----


def test_a_record_that_nobody_changed_has_no_finding() -> None:
    chain = examine(CONTENT)
    assert chain.entries == tuple(ENTRIES) and chain.findings == () and chain.head == HEAD and not chain.tail
    assert chain.size == len(CONTENT) and found(CONTENT) == []
    assert ENTRIES[0].previous == FIRST_PREVIOUS


def other_values(value: int, place: int) -> set[int]:
    """Bytes to put in the place of one: its neighbours, one bit each, what JSON and lines are made of."""
    fixed = b'\n\r\0 "\\,0a'
    return {value ^ 1 << place % 8, (value + 1) % 256, fixed[place % len(fixed)]} - {value}


def test_every_byte_of_every_line_counts() -> None:
    """Each byte of the 200 entries, with two or three other values in its place: the line is no longer an entry."""
    for line in LINES:
        for place, value in enumerate(line[:-1]):
            for other in other_values(value, place):
                changed = line[:place] + bytes([other]) + line[place + 1 : -1]
                assert all(isinstance(read_line(piece), str) for piece in changed.split(b"\n")), (line, place, other)


def test_every_changed_byte_of_a_short_record_is_found() -> None:
    """Each byte of four entries, line ends too, with every bit of it turned over, without knowing the head."""
    content = b"".join(LINES[:4])
    for place, value in enumerate(content):
        for bit in range(8):
            changed = content[:place] + bytes([value ^ 1 << bit]) + content[place + 1 :]
            assert examine(changed).findings, (place, bit)


def test_a_changed_byte_is_told_with_its_entry(quick: None) -> None:
    chance = random.Random(1)
    start = 0
    for number, line in enumerate(LINES, 1):
        place = start + chance.randrange(len(line) - 1)
        changed = CONTENT[:place] + bytes([CONTENT[place] ^ 1]) + CONTENT[place + 1 :]
        (finding, *_) = found(changed, None)
        assert (finding.what, finding.number, finding.line) == ("changed", number, number)
        assert finding.message.startswith(f"Entry {number} (line {number}) was changed: it")
        start += len(line)


@pytest.mark.slow
def test_every_changed_byte_of_a_long_record_is_found(quick: None) -> None:
    for place, value in enumerate(CONTENT):
        changed = CONTENT[:place] + bytes([value ^ 1 << place % 8]) + CONTENT[place + 1 :]
        assert examine(changed).findings, place


def test_a_line_end_that_is_changed_is_found(quick: None) -> None:
    place = 0
    for number, line in enumerate(LINES, 1):
        place += len(line)
        for other in b"x \r\0":
            changed = CONTENT[: place - 1] + bytes([other]) + CONTENT[place:]
            assert found(changed), number


def test_every_truncation_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """At every byte, with the head; what is left of the entry that is cut is told as such."""
    monkeypatch.setattr(chain_module, "_linked", cache(chain_module._linked))  # the whole lines are mostly the same
    ends, place = set(), 0
    for line in LINES:
        place += len(line)
        ends.add(place)
    for size in range(1, len(CONTENT)):
        told = [what for what, _ in whats(CONTENT[:size])]
        expected = ["head"] if size in ends else ["empty" if size < len(LINES[0]) else "incomplete", "head"]
        assert told == expected, size
    assert whats(b"") == [("empty", None), ("head", None)]


def test_a_truncation_between_entries_needs_the_head() -> None:
    assert found(b"".join(LINES[:150]), None) == []
    (finding,) = found(b"".join(LINES[:150]))
    assert finding.code == "DL814" and "The last entry is 150, and none has the head" in finding.message


def deletions() -> list[tuple[list[bytes], list[tuple[str, int | None]]]]:
    rows = []
    for place in range(200):
        what: list[tuple[str, int | None]] = [("missing", place + 1)] if place < 199 else [("head", None)]
        rows.append(([*LINES[:place], *LINES[place + 1 :]], what))
    return rows


def swaps() -> list[tuple[list[bytes], list[tuple[str, int | None]]]]:
    return [([*LINES[:p], LINES[p + 1], LINES[p], *LINES[p + 2 :]], [("misplaced", p + 1)]) for p in range(199)]


def doublings() -> list[tuple[list[bytes], list[tuple[str, int | None]]]]:
    near = [([*LINES[: p + 1], *LINES[p:]], [("repeated", p + 1)]) for p in range(200)]
    far = [([*LINES, LINES[p]], [("repeated", p + 1)]) for p in range(200)]
    return near + far  # type: ignore[return-value]


@pytest.mark.parametrize("changes", [deletions, swaps, doublings])
def test_every_line_that_is_moved_is_found(changes: Callable, quick: None) -> None:
    for lines, expected in changes():
        assert whats(b"".join(lines)) == expected


def test_lines_that_are_moved_far_are_found(quick: None) -> None:
    chance = random.Random(2)
    for _ in range(300):
        first, second = sorted(chance.sample(range(200), 2))
        lines = list(LINES)
        lines[first], lines[second] = lines[second], lines[first]
        assert {what for what, _ in whats(b"".join(lines))} <= {"misplaced", "missing", "head"}
        assert found(b"".join(lines), None)
        moved = [*LINES[:first], *LINES[first + 1 : second + 1], LINES[first], *LINES[second + 1 :]]
        assert whats(b"".join(moved), None) == [("misplaced", first + 1)]


def test_several_missing_entries_are_told_together() -> None:
    (finding,) = found(b"".join([*LINES[:4], *LINES[9:]]))
    assert finding.message == "Entries 5 to 9 are missing (before line 5)." and finding.number == 5


def forged(place: int, like: Entry) -> bytes:
    """An entry with a right hash, that follows those before it, and says something else."""
    return line_of(made(Draft(like.kind, {"forged": True}, like.actor, like.time), ENTRIES[:place], PROTOCOL.hash))


def insertions() -> None:
    for place in range(200):
        for line in (forged(place, ENTRIES[place]), b"\n", b"{}\n", b"null\n", b"\xff\n", b"[" * 5000 + b"\n"):
            assert found(b"".join([*LINES[:place], line, *LINES[place:]]), None), (place, line)
    assert found(CONTENT + forged(200, ENTRIES[199])) == []  # nobody can tell it from an entry that was made


def replacements() -> None:
    for place in range(199):
        told = whats(b"".join([*LINES[:place], forged(place, ENTRIES[place]), *LINES[place + 1 :]]), None)
        assert told == [("not linked", place + 2)], place
    assert whats(b"".join([*LINES[:199], forged(199, ENTRIES[199])])) == [("head", None)]


def other_forms() -> None:
    """The same content, written otherwise."""
    for line in (LINES[0], LINES[1], LINES[77]):
        text = line.decode()
        for changed in (
            text.replace('":', '": ', 1), text.replace(",", ", ", 1), f" {text}", text.replace("}\n", "} \n"),
            text.replace('{"actor"', '{"actor":"x","actor"', 1), json.dumps(json.loads(text)) + "\n",
            text.replace('"number":', '"number":0e0,"number":'), text.replace("Ann", "\\u0041nn"),
            text.replace("ö", "\\u00f6"),
        ):  # fmt: skip
            assert changed == text or found(b"".join([LINES[0], changed.encode(), *LINES[1:]]), None), changed
            assert changed == text or isinstance(read_line(changed.encode()[:-1]), str), changed


def test_every_entry_that_is_inserted_is_found(quick: None) -> None:
    insertions()


def test_every_entry_that_is_replaced_by_another_with_a_right_hash_is_found(quick: None) -> None:
    replacements()


def test_an_entry_has_one_form() -> None:
    other_forms()


def test_an_entry_under_another_protocol_is_found() -> None:
    told = found(content_of([*ENTRIES[:3], made(drafts(4)[3], ENTRIES[:3], "0" * 64)]), None)
    assert [finding.message for finding in told] == [
        "Entry 4 (line 4) has another protocol than entry 3, and puts none in force."
    ]


def test_a_record_has_a_beginning() -> None:
    stated = {**json.loads(LINES[0]), "previous": ENTRIES[3].hash}
    del stated["hash"]
    (finding, *_) = found(canonical({**stated, "hash": hash_of(stated)}) + b"\n", None)
    assert finding.message == "Entry 1 (line 1) is not the beginning of a record: it continues another entry."


def test_a_verifier_that_does_not_compare_the_hash_before_is_noticed(
    monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    monkeypatch.setattr(chain_module._Links, "_compare", lambda *_: None)
    with pytest.raises(AssertionError):
        replacements()


def test_a_verifier_that_does_not_write_lines_anew_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    strict = read_line

    def lenient(line: bytes) -> Entry | str:
        try:
            record = json.loads(line)
            return strict(canonical(record)) if isinstance(record, dict) else "no entry"
        except (ValueError, RecursionError):
            return "no entry"

    monkeypatch.setitem(globals(), "read_line", lenient)
    with pytest.raises(AssertionError):
        other_forms()


def test_a_verifier_that_does_not_look_at_the_hash_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def trusting(line: bytes) -> Entry | str:
        record = json.loads(line)
        return Entry(**record) if canonical(record) == line else "no entry"

    monkeypatch.setattr(chain_module, "read_line", trusting)
    with pytest.raises((AssertionError, ValueError)):
        test_every_changed_byte_of_a_short_record_is_found()


def test_damaged_lines_in_a_row_are_told_by_their_numbers() -> None:
    content = b"".join([*LINES[:3], b"x\n", b"y\n", *LINES[5:]])
    assert whats(content) == [("changed", 4), ("changed", 5)]
    content = b"".join([*LINES[:3], b"x\n", *LINES[5:]])
    assert whats(content) == [("changed", None), ("missing", 4)] or whats(content) == [("changed", None)]
    content = b"".join([*LINES[:3], b"x\n", b"y\n", *LINES[4:]])
    assert whats(content) == [("changed", None), ("changed", None)]


def test_an_editor_that_changes_line_ends_is_named() -> None:
    told = found(CONTENT.replace(b"\n", b"\r\n"))
    assert len(told) == 201 and "its line end was changed, as by an editor" in told[0].message


# ---- the head ----


@pytest.mark.parametrize("digits", [12, 16, 40, 64])
def test_a_head_says_how_many_entries_came_since(digits: int) -> None:
    chain = examine(CONTENT)
    assert entries_since(chain, HEAD[:digits]) == 0
    assert entries_since(chain, f" {ENTRIES[0].hash[:digits].upper()} ") == 199


@pytest.mark.parametrize("head", ["", "0" * 11, "0" * 65, "g" * 12, "DL814 record", "0x0000000000000", "é" * 12])
def test_what_is_no_head_is_refused(head: str) -> None:
    with pytest.raises(Trouble, match="is not the head of a record") as told:
        entries_since(examine(CONTENT), head)
    assert told.value.diagnostic.code == "DL903"


# ---- time ----


def test_a_time_before_that_of_the_entry_before_is_a_remark() -> None:
    entries = ENTRIES[:3]
    entries = [*entries, made(Draft("note", {}, "Ann", time_of(1)), entries, PROTOCOL.hash)]
    (finding,) = found(content_of(entries), None)
    assert finding.code == "DL815" and not finding.is_damage and not examine(content_of(entries)).is_damaged
    assert finding.message == "Entry 4 is of 2026-03-02T00:00:01Z, and entry 3 before it of 2026-03-02T00:00:02Z."


# ---- what may be entered ----

WRONG: tuple[tuple[dict[str, object], str], ...] = (
    ({"kind": ""}, "is not a word of small letters"),
    ({"kind": "Note"}, "is not a word of small letters"),
    ({"kind": "note "}, "is not a word of small letters"),
    ({"kind": "note\n"}, "is not a word of small letters"),
    ({"kind": "a-"}, "is not a word of small letters"),
    ({"kind": "a" * 41}, "is not a word of small letters"),
    ({"time": "2026-03-02 14:05:00Z"}, "is not a time such as"),
    ({"time": "2026-03-02T14:05:00"}, "is not a time such as"),
    ({"time": "2026-03-02T14:05:00.5Z"}, "is not a time such as"),
    ({"time": "2026-03-02T14:05:00+00:00"}, "is not a time such as"),
    ({"time": "2026-02-30T14:05:00Z"}, "is not a time such as"),
    ({"time": "2026-03-02T24:05:00Z"}, "is not a time such as"),
    ({"time": "٢٠٢٦-03-02T14:05:00Z"}, "is not a time such as"),
    ({"actor": ""}, "a name on one line"),
    ({"actor": "  "}, "a name on one line"),
    ({"actor": "Ann\nBob"}, "a name on one line"),
    ({"actor": "A" * 201}, "a name on one line"),
    ({"actor": "Ann \ud800"}, "a name on one line"),
    ({"body": []}, "the body of an entry is an object"),
    ({"body": {"rate": 0.5}}, "neither text, a whole number"),
    ({"body": {"rate": float("nan")}}, "neither text, a whole number"),
    ({"body": {"a": [{"b": (1,)}]}}, "neither text, a whole number"),
    ({"body": {"a": LARGEST + 1}}, "is too large"),
    ({"body": {"a": -(10**5000)}}, "is too large"),
    ({"body": {"a": "\udfff"}}, "cannot be written in UTF-8"),
    ({"body": {"\udfff": 1}}, "the keys of an object are texts"),
    ({"body": {1: 1}}, "the keys of an object are texts"),
    ({"kind": "correct", "body": {"entry": 1}}, "a correction says which `entry` it corrects"),
    ({"kind": "correct", "body": {"entry": 1, "body": None, "reason": " "}}, "gives its reason"),
    ({"kind": "correct", "body": {"entry": 1, "body": None, "reason": 3}}, "gives its reason"),
    ({"kind": "correct", "body": {"entry": 1, "body": [], "reason": "x"}}, "is an object, or null"),
    ({"kind": "correct", "body": {"entry": 0, "body": {}, "reason": "x"}}, "corrects entry 0, and the entries"),
    ({"kind": "correct", "body": {"entry": 4, "body": {}, "reason": "x"}}, "the entries before it are 1 to 3"),
    ({"kind": "correct", "body": {"entry": "1", "body": {}, "reason": "x"}}, "the entries before it are 1 to 3"),
    ({"kind": "correct", "body": {"entry": True, "body": {}, "reason": "x"}}, "the entries before it are 1 to 3"),
)


@pytest.mark.parametrize(("given", "words"), WRONG, ids=[f"{n}: {row[1]}" for n, row in enumerate(WRONG)])
def test_what_cannot_be_entered_is_told(given: dict, words: str) -> None:
    draft = Draft(**{"kind": "note", "body": {}, "actor": "Ann", "time": time_of(9), **given})
    with pytest.raises(Trouble, match="This cannot be entered in the record: ") as told:
        made(draft, ENTRIES[:3], PROTOCOL.hash)
    assert told.value.diagnostic.code == "DL903" and words in str(told.value)


def nested(deep: int) -> list:
    return [nested(deep - 1)] if deep > 1 else []


def test_limits_of_an_entry() -> None:
    def entered(body: dict) -> Entry:
        return made(Draft("note", body, "Ann", time_of(9)), ENTRIES[:3], PROTOCOL.hash)

    assert entered({"a": nested(15)}) and entered({"a": -LARGEST})
    with pytest.raises(Trouble, match="more than 16 deep"):
        entered({"a": nested(16)})
    room = MOST_ENTRY_BYTES - len(line_of(entered({"a": ""})))
    assert len(line_of(entered({"a": "x" * room}))) == MOST_ENTRY_BYTES
    assert isinstance(read_line(line_of(entered({"a": "x" * room}))[:-1]), Entry)
    with pytest.raises(Trouble, match="too long for the record: it has 65,537 bytes") as told:
        entered({"a": "x" * (room + 1)})
    assert told.value.diagnostic.code == "DL704"


def test_a_record_has_at_most_so_many_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("doselang.record.entries.MOST_ENTRIES", 3)
    with pytest.raises(Trouble, match="The record has 3 entries, and takes no more"):
        made(drafts(1)[0], ENTRIES[:3], PROTOCOL.hash)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-LARGEST, LARGEST) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(texts, values, max_size=4))
def test_what_is_entered_is_read_back(body: dict) -> None:
    entry = made(Draft("note", body, "Ann", time_of(9)), ENTRIES[:3], PROTOCOL.hash)
    assert read_line(line_of(entry)[:-1]) == entry and entry.body == body
    assert examine(b"".join([*LINES[:3], line_of(entry)])).findings == ()


def test_a_flood_of_lines_is_not_read_line_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain_module, "MOST_ENTRIES", 1000)
    chain = examine(CONTENT + b"\n" * 1_000_000)
    assert len(chain.entries) == 200 and len(chain.findings) == 801 and chain.size == len(CONTENT) + 1_000_000


@given(st.binary(max_size=200))
def test_any_bytes_are_examined(content: bytes) -> None:
    chain = examine(content)
    assert chain.findings and chain.entries == () and chain.size + len(chain.tail) == len(content)


def test_a_body_that_changes_later_does_not_change_the_entry() -> None:
    body: dict = {"list": [1]}
    entry = made(Draft("note", body, "Ann", time_of(9)), (), PROTOCOL.hash)
    body["list"].append(2)
    assert entry.body == {"list": [1]}


@pytest.mark.parametrize(
    "line",
    [
        b'{"a":1}', b"[]", b"1", b'"x"', b"NaN", b"1" * 5000, b"[" * 60_000, b'{"a":' * 12_000, b"x" * (1 << 20), b"",
        line_of(ENTRIES[4])[:-1].replace(b'"body":{}', b'"body":{"a":1.5}'),
        line_of(ENTRIES[4])[:-1].replace(b'"number":5', b'"number":5.0'),
        line_of(ENTRIES[4])[:-1].replace(b'"number":5', b'"number":true'),
        line_of(ENTRIES[4])[:-1].replace(b'"body":{}', b'"body":null'),
        line_of(ENTRIES[4])[:-1].replace(b'"body":{},', b""),
    ],
)  # fmt: skip
def test_what_is_no_entry_is_not_read(line: bytes) -> None:
    assert isinstance(read_line(line), str)


def test_a_line_of_another_type_with_a_right_hash_is_no_entry() -> None:
    stated = {**json.loads(LINES[4]), "body": {"rate": 0.5}}
    del stated["hash"]
    assert read_line(canonical({**stated, "hash": hash_of(stated)})) == "it does not hold what an entry holds"


# ---- corrections ----


def corrected(*rows: tuple[int, dict | None]) -> list[Entry]:
    entries = ENTRIES[:5]
    for number, body in rows:
        draft = Draft("correct", {"entry": number, "body": body, "reason": "misread"}, "Ann", time_of(60))
        entries = [*entries, made(draft, entries, PROTOCOL.hash)]
    return entries


def test_corrections_are_applied_and_the_original_stays() -> None:
    entries = corrected((2, {"patient": "P-07"}), (3, None), (2, {"patient": "P-08"}))
    told = effective(entries)
    assert [one.entry for one in told] == entries and len(told) == 8
    assert told[1].body == {"patient": "P-08"} and told[1].corrected_by == (6, 8) and told[1].counts
    assert told[1].entry.body == ENTRIES[1].body
    assert told[2].body is None and told[2].corrected_by == (7,) and not told[2].counts
    assert told[0].body == ENTRIES[0].body and told[0].corrected_by == ()
    assert told[5].body == entries[5].body
    assert examine(content_of(entries)).findings == ()


def test_an_entry_that_was_taken_back_can_be_restored() -> None:
    told = effective(corrected((2, None), (2, ENTRIES[1].body)))
    assert told[1].counts and told[1].body == ENTRIES[1].body and told[1].corrected_by == (6, 7)


def test_a_correction_is_not_corrected_but_made_again() -> None:
    with pytest.raises(Trouble, match="entry 6 is a correction: correct entry 2 again instead"):
        corrected((2, None), (6, None))


def test_what_put_a_protocol_in_force_is_not_corrected(tmp_path: Path) -> None:
    with writing(begun(tmp_path)) as record, pytest.raises(Trouble, match="entry 1 put a protocol in force"):
        record.append(Draft("correct", {"entry": 1, "body": {}, "reason": "x"}, "Ann", time_of(9)))


def test_a_correction_by_another_program_of_what_cannot_be_corrected_is_found() -> None:
    entries = corrected((2, None))
    stated = {**json.loads(line_of(entries[5])), "body": {"entry": 6, "body": None, "reason": "x"}}
    del stated["hash"]
    content = content_of(entries[:5]) + canonical({**stated, "hash": hash_of(stated)}) + b"\n"
    (finding,) = found(content, None)
    assert finding.what == "wrong correction" and finding.is_damage and "corrects entry 6" in finding.message


# ---- the copies of the protocol ----


def test_the_hash_of_a_protocol_is_of_names_bytes_lengths_and_settings() -> None:
    files = (("a", b"12"), ("b", b"3"))
    assert Copy(files).hash == Copy(files[::-1]).hash
    others = [
        Copy(files), Copy((("a", b"1"), ("b", b"23"))), Copy((("a", b"12"), ("c", b"3"))), Copy((("a", b"123"),)),
        Copy((*files, ("c", b""))), Copy(files, {"levels": "4"}), Copy(files, {"levels": "5"}),
        Copy(files, {"level": "s4"}),
    ]  # fmt: skip
    assert len({copy.hash for copy in others}) == len(others)


def test_a_trial_begins_with_a_copy_of_its_protocol(tmp_path: Path) -> None:
    trial = begun(tmp_path)
    assert sorted(os.listdir(trial)) == ["protocol", "record.jsonl"] and os.listdir(tmp_path) == ["trial"]
    assert Copy(read_copy(trial, "protocol"), PROTOCOL.settings) == PROTOCOL
    (entry,) = read(trial).entries
    assert entry.protocol == PROTOCOL.hash and entry.body["copy"] == {"folder": "protocol", **PROTOCOL.stated()}
    assert entry.number == 1 and verify(trial).chain.findings == ()


def test_an_amendment_keeps_the_copies_before_it(tmp_path: Path) -> None:
    trial = begun(tmp_path, 3)
    amended = Copy((("trial.dose", b'protocol "Another"\n'),))
    (trial / "protocol-2").mkdir()  # left by an amendment that was stopped before it was entered
    with writing(trial) as record:
        assert record.amend(Draft("amend", {"version": 2}, "Ann", time_of(9)), amended).protocol == amended.hash
        assert record.append(Draft("note", {}, "Ann", time_of(9))).protocol == amended.hash
    chain = verify(trial).chain
    assert [entry.protocol for entry in chain.entries] == [PROTOCOL.hash] * 3 + [amended.hash] * 2
    assert chain.findings == () and read_copy(trial, "protocol-3") == amended.files
    assert in_force(chain.entries) == InForce("protocol-3", {}, 4)
    assert in_force(chain.entries[:3]) == InForce("protocol", {"levels": "4"}, 1)
    assert read_copy(trial, "protocol") == PROTOCOL.files


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda folder: (folder / "trial.dose").write_bytes(b""), "protocol/trial.dose was changed since entry 1"),
        (lambda folder: (folder / "trial.md").unlink(), "protocol/trial.md is missing since entry 1"),
        (lambda folder: (folder / "more").write_bytes(b""), "protocol/more was added since entry 1"),
        (lambda folder: folder.rename(folder.parent / "other"), "of entry 1, protocol, cannot be read: No such file"),
        (lambda folder: os.mkfifo(folder / "pipe"), "cannot be read: pipe is not an ordinary file"),
        (lambda folder: (folder / "link").symlink_to("trial.md"), "cannot be read: link is not an ordinary file"),
    ],
)
def test_a_copy_that_was_changed_is_found(tmp_path: Path, change: Callable[[Path], object], words: str) -> None:
    trial = begun(tmp_path, 2)
    change(trial / "protocol")
    (finding,) = verify(trial).chain.findings
    assert finding.what == "copy" and finding.code == "DL811" and words in finding.message
    with pytest.raises(Trouble, match="is damaged") as told, writing(trial):
        pass
    assert told.value.diagnostic.code == "DL811"


def test_what_systems_leave_in_a_folder_changes_no_copy(tmp_path: Path) -> None:
    trial = begun(tmp_path, 2)
    for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
        (trial / "protocol" / name).write_bytes(b"x")
    assert verify(trial).chain.findings == ()
    assert Copy(read_copy(trial, "protocol"), PROTOCOL.settings) == PROTOCOL


def test_only_the_record_says_where_a_copy_is(tmp_path: Path) -> None:
    trial = begun(tmp_path)
    with writing(trial) as record:
        for work in (record.append, lambda draft: record.amend(draft, PROTOCOL)):
            with pytest.raises(ValueError, match="written by the record itself"):
                work(Draft("note", {"copy": {}}, "Ann", time_of(9)))
    assert len(read(trial).entries) == 1 and "protocol-2" not in os.listdir(trial)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ((), "There are no files"),
        ((("a/b", b""),), "it is not the name of a file alone"),
        ((("..", b""),), "it is not the name of a file alone"),
        (((".dose", b""),), "it is not the name of a file alone"),
        ((("", b""),), "it is not the name of a file alone"),
        ((("a\\b", b""),), "it is not the name of a file alone"),
        ((("A.dose", b""), ("a.dose", b"")), "Two files of the protocol are called “A.dose”"),
    ],
)
def test_names_that_cannot_be_kept_are_refused(tmp_path: Path, files: tuple, words: str) -> None:
    with pytest.raises(Trouble, match=words):
        begin(tmp_path / "trial", Copy(files), drafts(1)[0])
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("copy", "words"),
    [
        ({}, "Entry 1 does not say where the copy of the protocol is."),
        ({"folder": "protocol", "files": []}, "Entry 1 does not say where the copy of the protocol is."),
        ({"folder": "..", "files": {}, "settings": {}}, "Entry 1 does not say where the copy of the protocol is."),
        ({"folder": "protocol", "files": {}}, "Entry 1 does not say which parameters were set."),
        ({"folder": "protocol", "files": {}, "settings": {"a": 1}}, "Entry 1 does not say which parameters were set."),
    ],
)
def test_a_copy_that_is_not_told_is_found(tmp_path: Path, copy: dict, words: str) -> None:
    trial = begun(tmp_path)
    entry = made(Draft("begin", {"copy": copy}, "Ann", time_of(0)), (), PROTOCOL.hash)
    (trial / "record.jsonl").write_bytes(line_of(entry))
    assert [finding.message for finding in verify(trial).chain.findings] == [words]


def test_an_entry_that_puts_a_protocol_in_force_with_another_hash_is_found(tmp_path: Path) -> None:
    trial = begun(tmp_path)
    entry = made(Draft("begin", read(trial).entries[0].body, "Ann", time_of(0)), (), "0" * 64)
    (trial / "record.jsonl").write_bytes(line_of(entry))
    (finding,) = verify(trial).chain.findings
    assert "has another hash of the protocol than its files and settings have" in finding.message


# ---- the command ----


def verified(trial: Path, capsys: Capture, *more: str) -> tuple[int, str]:
    status = run(["trial", "verify", str(trial), *more])
    printed = capsys.readouterr()
    return status, printed.out + printed.err


def test_the_command_says_that_all_is_well(tmp_path: Path, capsys: Capture) -> None:
    trial = begun(tmp_path, 12)
    chain = read(trial)
    status, told = verified(trial, capsys, "--head", chain.entries[8].hash[:12])
    assert (
        status == 0
        and "12 entries, unchanged and in order" in told
        and "3 entries came after the head that was given." in told
    )
    assert f"Head: {chain.entries[-1].hash[:16]}, entry 12" in told
    assert "It is the head that was given." in verified(trial, capsys, "--head", chain.entries[-1].hash)[1]


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: Capture) -> None:
    trial = begun(tmp_path, 12)
    lines = (trial / "record.jsonl").read_bytes().splitlines(keepends=True)
    (trial / "record.jsonl").write_bytes(b"".join([*lines[:3], *lines[4:], b'{"actor":']))
    status, told = verified(trial, capsys, "--head", "0" * 12)
    assert status == 1 and "Entry 4 is missing (before line 4)." in told
    assert "2 errors, 1 warning; nothing can be added to it" in told and "unchanged and" not in told
    status, told = verified(trial, capsys, "--format", "json")
    record = json.loads(told)
    assert status == 1 and record["unchanged"] is False and record["unfinished_bytes"] == 9
    assert [(one["code"], one["entry"]) for one in record["findings"]] == [("DL811", 4), ("DL813", None)]


def test_of_very_many_findings_the_first_are_told(tmp_path: Path, capsys: Capture) -> None:
    trial = begun(tmp_path, 30)
    path = trial / "record.jsonl"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    told = verified(trial, capsys)[1]
    assert told.count("as by an editor") == 20 and "10 further findings are listed by `--format json`." in told
    assert len(json.loads(verified(trial, capsys, "--format", "json")[1])["findings"]) == 30


def test_an_unfinished_entry_alone_is_a_warning(tmp_path: Path, capsys: Capture) -> None:
    trial = begun(tmp_path, 2)
    with (trial / "record.jsonl").open("ab") as file:
        file.write(b'{"act')
    status, told = verified(trial, capsys)
    assert status == 0 and "DL813" in told and "2 entries, unchanged and in order" in told


def test_the_group_alone_says_what_there_is(capsys: Capture) -> None:
    assert run(["trial"]) == 2
    assert "`doselang trial verify`" in capsys.readouterr().err


# ---- the page, and speed ----


def program_of_the_page() -> Callable[[str], None]:
    """The program that the page gives to verify a record without doselang."""
    text = (ROOT / "docs" / "trial-record.md").read_text(encoding="utf-8")
    (block,) = [block for block in blocks(text) if block.kind == "python"]
    room: dict = {}
    exec(compile(block.text, "trial-record.md", "exec"), room)
    return room["verify"]


def test_the_program_of_the_page_verifies_a_record(tmp_path: Path, quick: None) -> None:
    other = program_of_the_page()
    trial = begun(tmp_path, 40)
    other(str(trial))
    path = trial / "record.jsonl"
    content = path.read_bytes()
    chance = random.Random(3)
    for _ in range(100):
        place = chance.randrange(len(content))
        path.write_bytes(content[:place] + bytes([content[place] ^ 1 << chance.randrange(8)]) + content[place + 1 :])
        with pytest.raises((AssertionError, ValueError, LookupError)):
            other(str(trial))
    path.write_bytes(content)
    (trial / "protocol" / "trial.md").write_bytes(b"")
    with pytest.raises(AssertionError):
        other(str(trial))


def test_a_record_is_read_and_verified_in_milliseconds() -> None:
    times = []
    for _ in range(5):
        before = time.perf_counter()
        chain: Chain = examine(CONTENT)
        times.append(time.perf_counter() - before)
        assert len(chain.entries) == 200
    assert min(times) < 0.05
