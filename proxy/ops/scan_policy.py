"""What `scan` proposes, as columns.yaml: valid as it stands, with the reasons beside it as comments."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final

from proxy.config import Scheme
from proxy.ops.scan import Proposal, ScanReport

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)?")
_RESERVED: Final = frozenset("y n yes no on off true false null keyset".split())
SEARCH: Final = {Scheme.RANDOM: "none", Scheme.EQUALITY: "equality", Scheme.ORDER: "order"}

_HEAD: Final = """\
# Proposed by sealwire scan. Look at every line before you use it: what is listed here is what a sample of the values
# and the names suggest. Each column says pending: true, so it stays readable as it is until you have sealed it.
# "search" decides what a column can be asked for and what it tells: docs/threat-model.md.
"""


def as_policy(report: ScanReport) -> str:
    """The text of a columns.yaml that `proxy.config.load_policy` takes."""
    lines = [_HEAD]
    usable = [proposal for proposal in report.proposals if proposal.obstacle is None]
    if usable:
        lines.append(f"{_key(report.database)}:")
        for table in sorted({proposal.column.place[:2] for proposal in usable}):
            lines.append(f"  {_key('.'.join(table))}:")
            lines += [_line(proposal) for proposal in usable if proposal.column.place[:2] == table]
    obstructed = [proposal for proposal in report.proposals if proposal.obstacle is not None]
    lines += _obstacles(obstructed)
    return "\n".join(lines) + "\n"


def _line(proposal: Proposal) -> str:
    attributes = [f"type: {_scalar(str(proposal.column.type))}"]
    if proposal.search is not Scheme.RANDOM:
        attributes.append(f"search: {SEARCH[proposal.search]}")
    if proposal.join is not None:
        attributes.append(f"join: {json.dumps(proposal.join, ensure_ascii=False)}")
    attributes.append("pending: true")
    detection = proposal.detection
    why = f"{detection.kind}, {detection.confidence:.0%}: {'; '.join(detection.reasons)}"
    search = f"search {SEARCH[proposal.search]}: {proposal.search_reason}"
    entry = f"    {_key(proposal.column.place[2])}: {{{', '.join(attributes)}}}"
    return f"    # {_comment(why)}\n    # {_comment(search)}\n{entry}"


def _obstacles(proposals: Sequence[Proposal]) -> list[str]:
    if not proposals:
        return []
    lines = ["", "# Found, but not possible as it is:"]
    for proposal in proposals:
        place = ".".join(proposal.column.place)
        lines.append(f"#   {_comment(f'{place} ({proposal.detection.kind}): {proposal.obstacle}')}")
    return lines


def _key(name: str) -> str:
    """A YAML key: as it is where that is safe, else in double quotes, whose escapes are those of JSON."""
    plain = _PLAIN.fullmatch(name) is not None and name.lower() not in _RESERVED
    return name if plain else json.dumps(name, ensure_ascii=not name.isprintable())


def _scalar(text: str) -> str:
    return json.dumps(text) if re.search(r"[,\[\]{}]", text) else text


def _comment(text: str) -> str:
    """One line: names of columns may hold line ends."""
    return "".join(c if c.isprintable() else "?" for c in text)
