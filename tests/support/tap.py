"""The tap: a relay between proxy and server that keeps every byte the proxy sends upstream, and the search for
plaintext in it.

A `Canary` is a plaintext that must never appear upstream in any spelling: as text, in hexadecimal, in base64 or as the
binary form of its type.
"""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Canary:
    """One plaintext; `binary` are other forms that give it away (PostgreSQL's binary send form, for one)."""

    text: str
    binary: tuple[bytes, ...] = ()

    def spellings(self) -> dict[str, bytes]:
        """Name -> bytes to look for. Base64 has three phases; the part that is stable in each is looked for."""
        raw = self.text.encode()
        found = {"text": raw, "hex": raw.hex().encode(), "HEX": raw.hex().upper().encode()}
        for phase in range(3):
            coded = base64.b64encode(b"\0" * phase + raw)
            stable = coded[(0, 2, 3)[phase] : len(coded) // 4 * 4 - 4]
            if len(stable) >= 8:
                found[f"base64 phase {phase}"] = stable
        for number, form in enumerate(self.binary):
            found[f"binary {number}"] = form
            found[f"binary {number} hex"] = form.hex().encode()
        return found

    def found_in(self, haystack: bytes) -> list[str]:
        return [name for name, needle in self.spellings().items() if needle in haystack]


@dataclass(slots=True)
class Tap:
    """Listens on a Unix socket as PostgreSQL does and relays to `upstream`; `sent` holds what went upstream."""

    directory: Path
    upstream: tuple[str, int]
    """(host or socket directory, port)"""
    sent: list[bytes] = field(default_factory=list)
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    port = 5432

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._relay, self.directory / f".s.PGSQL.{self.port}")

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def upstream_bytes(self) -> bytes:
        return b"".join(self.sent)

    def leaks(self, canaries: list[Canary]) -> list[str]:
        """What was found, without the bytes around it; empty is what a test wants."""
        haystack = self.upstream_bytes()
        return [f"{canary.text!r} as {form}" for canary in canaries for form in canary.found_in(haystack)]

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        host, port = self.upstream
        try:
            if host.startswith("/"):
                up_reader, up_writer = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
            else:
                up_reader, up_writer = await asyncio.open_connection(host, port)
        except OSError:  # there is no server: what is in front of it sees its connection end
            writer.close()
            return
        try:
            await asyncio.gather(self._pump(reader, up_writer, self.sent), self._pump(up_reader, writer, None))
        finally:
            writer.close()
            up_writer.close()

    @staticmethod
    async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, record: list[bytes] | None) -> None:
        try:
            while data := await reader.read(65536):
                if record is not None:
                    record.append(data)
                writer.write(data)
                await writer.drain()
            writer.write_eof()  # and no more: the other direction may still have an answer to bring
        except OSError:
            writer.close()
