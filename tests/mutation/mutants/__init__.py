"""The mutants, by the part of the proxy that they break."""

from __future__ import annotations

from typing import Final

from tests.mutation.mutant import Mutant
from tests.mutation.mutants.carrying import CARRYING
from tests.mutation.mutants.changes import CHANGES
from tests.mutation.mutants.expressions import EXPRESSIONS
from tests.mutation.mutants.meeting import MEETING
from tests.mutation.mutants.scopes import SCOPES
from tests.mutation.mutants.session import SESSION

MUTANTS: Final[tuple[Mutant, ...]] = (*MEETING, *CARRYING, *EXPRESSIONS, *SCOPES, *CHANGES, *SESSION)
