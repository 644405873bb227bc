"""How the benchmarks measure: contenders take turns within one run, and what counts is the ratio of their medians.

Throughput on a shared machine drifts from minute to minute. So a comparison runs all of its contenders in every round,
one after the other, at least five rounds, and states each median as a ratio of the median of one of them, beside the
least and the greatest ratio of single rounds. CPU time is that of the measured process alone, per unit of its work.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

import psutil
from rich.console import Console
from rich.table import Table

ROUNDS: Final = 5
QUICK_ROUNDS: Final = 3
_PACKAGES: Final = ("pglast", "cryptography", "uvloop", "asyncpg", "psycopg")


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement. `value` is in the comparison's unit; `cpu` is µs of the measured process per unit of work."""

    value: float
    cpu: float | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """The samples of one contender in one case, as they are shown and written to the JSON file."""

    row: int
    case: str
    contender: str
    unit: str
    median: float
    values: list[float]
    ratio: float | None = None
    """Of the medians, to that of `base`."""
    base: str | None = None
    spread: tuple[float, float] | None = None
    """Least and greatest ratio of one round."""
    cpu: float | None = None
    """Median µs of CPU time per unit of work."""
    target: str | None = None
    met: bool | None = None


Contender = Callable[[], Sample]


class Bench:
    """One run: collects figures and prints each comparison when it is done."""

    def __init__(self, *, quick: bool, only: str = "", console: Console | None = None) -> None:
        self.quick = quick
        self.only = only
        """Comparisons whose case does not have these words are left out."""
        self.rounds = QUICK_ROUNDS if quick else ROUNDS
        self.seconds = 2 if quick else 4
        """How long one sample of throughput takes."""
        self.console = console or Console(width=max(Console().width, 120))
        self.figures: list[Figure] = []
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        """A condition that the figures depend on, or what could not be measured here and why."""
        self.notes.append(text)
        self.console.print(text, style="dim")

    def compare(
        self,
        row: int,
        case: str,
        contenders: Mapping[str, Contender],
        *,
        unit: str,
        base: str,
        targets: Mapping[str, tuple[str, float]] | None = None,
    ) -> dict[str, Figure]:
        """Let the contenders take turns. `base`: whose median is 1. `targets`: contender -> (of whom, at least)."""
        if self.only not in case:
            return {}
        samples: dict[str, list[Sample]] = {name: [] for name in contenders}
        for _ in range(self.rounds):
            for name, contender in contenders.items():
                samples[name].append(contender())
        medians = {name: statistics.median(one.value for one in taken) for name, taken in samples.items()}
        found = {}
        for name, taken in samples.items():
            costs = [one.cpu for one in taken if one.cpu is not None]
            single = [one.value / other.value for one, other in zip(taken, samples[base], strict=True)]
            target, met = None, None
            if targets and name in targets and targets[name][0] in medians:
                of_whom, least = targets[name]
                reached = medians[name] / medians[of_whom]
                target, met = f"{reached:.2f} of {of_whom}, at least {least:g}", reached >= least
            found[name] = Figure(
                row,
                case,
                name,
                unit,
                medians[name],
                [one.value for one in taken],
                medians[name] / medians[base],
                base,
                (min(single), max(single)),
                statistics.median(costs) if costs else None,
                target,
                met,
            )
        self.figures += found.values()
        self._show(case, list(found.values()))
        return found

    def state(self, row: int, case: str, name: str, value: float, *, unit: str, at_most: float | None = None) -> None:
        """A figure that is no comparison: a time, a size."""
        target = None if at_most is None else f"at most {at_most:g}"
        met = None if at_most is None else value <= at_most
        self.figures.append(Figure(row, case, name, unit, value, [value], target=target, met=met))

    def show(self, row: int, case: str) -> None:
        """Print what `state` has collected for a case."""
        self._show(case, [figure for figure in self.figures if (figure.row, figure.case) == (row, case)])

    def _show(self, case: str, figures: list[Figure]) -> None:
        table = Table(title=f"row {figures[0].row}: {case}", title_justify="left")
        compared = figures[0].base is not None
        headings = ("", figures[0].unit, f"of {figures[0].base}", "single rounds", "CPU µs each", "target")
        for heading in headings if compared else (headings[0], headings[1], headings[5]):
            table.add_column(heading)
        for figure in figures:
            mark = "" if figure.met is None else (" [green]met[/]" if figure.met else " [red]missed[/]")
            target = (figure.target or "") + mark
            amount = f"{figure.median:,.1f}" if figure.median < 1000 else f"{figure.median:,.0f}"
            if compared and figure.ratio is not None and figure.spread is not None:
                spread = f"{figure.spread[0]:.2f} to {figure.spread[1]:.2f}"
                cpu = "" if figure.cpu is None else f"{figure.cpu:,.1f}"
                table.add_row(figure.contender, amount, f"{figure.ratio:.2f}", spread, cpu, target)
            else:
                table.add_row(figure.contender, amount, target)
        self.console.print(table)

    def document(self) -> dict[str, object]:
        """What goes into the JSON file."""
        return {"conditions": conditions(), "notes": self.notes, "figures": [asdict(one) for one in self.figures]}

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(self.document(), indent=2) + "\n")


class CpuClock:
    """CPU time of a process and of its children, in seconds since the clock was made."""

    def __init__(self, pid: int) -> None:
        self._processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        self._start = self._now()

    def _now(self) -> float:
        return sum(times.user + times.system for times in self._times())

    def _times(self) -> Iterator[psutil._common.pcputimes]:
        for process in self._processes:
            yield process.cpu_times()

    @property
    def seconds(self) -> float:
        return self._now() - self._start


def conditions() -> dict[str, str]:
    """What the figures depend on."""
    commit = _output("git", "rev-parse", "--short", "HEAD") or "unknown"
    changed = " with changes" if _output("git", "status", "--porcelain", "proxy") else ""
    return {
        "commit": commit + changed,
        "python": platform.python_version(),
        **{package: version(package) for package in _PACKAGES},
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {_processor()}",
        "system": f"{platform.system()} {platform.release()}",
        "load": ", ".join(f"{value:.1f}" for value in os.getloadavg()),
    }


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        return ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
