"""What EXPLAIN prints of sealed literals: `'\\xe1...'::bytea` becomes `'(sealed)'::bytea`: the plan can be read.

Within the text, JSON, XML and YAML formats alike, only characters of a literal are taken out, and never a part of an
escape: JSON and YAML double the backslash that a value begins with, so all backslashes before it go along with it.
"""

from __future__ import annotations

import re
from typing import Final

_REDACTED: Final = b"(sealed)"
# Format, scheme and key id: no other value is taken for a sealed one.
_HEX: Final = re.compile(rb"\\+xe10[1-3][0-9a-f]{8,}")
# bytea_output = escape: up to the quote that ends the literal.
_ESCAPED: Final = re.compile(rb"\\+341\\+00[1-3].*?(?=(?:'|&apos;)::bytea)", re.DOTALL)


def blanked(value: bytes) -> bytes:
    """One field of EXPLAIN's output, as text, without sealed literals."""
    if b"xe10" in value:
        value = _HEX.sub(_REDACTED, value)
    if b"341" in value:
        value = _ESCAPED.sub(_REDACTED, value)
    return value
