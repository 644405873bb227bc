"""Type codecs: pure functions between what clients write and read and the canonical binary form that gets sealed.

The canonical form is PostgreSQL's binary send form in UTF-8. A session resolves `text_decoder(type, settings)` and its
three siblings once per plan and calls the result per value; `decode_text` and the like are the same in one step.

    client bytes -> text_decoder | binary_decoder -> cast()* -> assign() | compare() -> sealed
    opened -> text_encoder | binary_encoder -> client bytes

Errors are `InvalidValue` with PostgreSQL's SQLSTATE where PostgreSQL would fail too, and `Refused` where it has no such
cast or operator or where no exact answer can be given. No message ever holds the value.
"""

from proxy.wire.codecs.arrays import Dimensions
from proxy.wire.codecs.base import Probe, Settings
from proxy.wire.codecs.bytea import bytea_hex, parse_bytea_text
from proxy.wire.codecs.compare import compare
from proxy.wire.codecs.convert import assign, canonical, cast
from proxy.wire.codecs.registry import (
    binary_decoder,
    binary_encoder,
    decode_binary,
    decode_text,
    encode_binary,
    encode_text,
    join_array,
    join_bytea_array,
    split_array,
    split_bytea_array,
    text_decoder,
    text_encoder,
)

__all__ = [
    "Dimensions",
    "Probe",
    "Settings",
    "assign",
    "binary_decoder",
    "binary_encoder",
    "bytea_hex",
    "canonical",
    "cast",
    "compare",
    "decode_binary",
    "decode_text",
    "encode_binary",
    "encode_text",
    "join_array",
    "join_bytea_array",
    "parse_bytea_text",
    "split_array",
    "split_bytea_array",
    "text_decoder",
    "text_encoder",
]
