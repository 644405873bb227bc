"""What `seal`, `unseal` and `reseal` share on the command line: options, progress, and what is said at the end."""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import signal
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.text import Text

from proxy.cli.options import ConfigFile, Dsn, read_config
from proxy.ops.life.fill import BATCH, Progress, Settings
from proxy.ops.life.online import Result
from proxy.ops.life.plan import Before, Plan
from proxy.ops.life.recipe import Operation
from proxy.ops.life.run import Order, give_up, look, run

COULD_NOT: Final = 2
_LINE_EVERY: Final = 2.0  # seconds between lines of progress where there is no terminal
_OBJECT_EVERY: Final = 0.5  # with --json
_T = TypeVar("_T")

Database = Annotated[str, typer.Argument(help="The database, as in columns.yaml.", metavar="DATABASE")]
Columns = Annotated[
    list[str],
    typer.Argument(
        help="schema.table.column; several are changed together, as a foreign key needs it.", metavar="COLUMN..."
    ),
]
Batch = Annotated[int, typer.Option(min=1, max=1_000_000, help="Rows in one transaction.")]
MaxRate = Annotated[float, typer.Option(min=0, help="At most so many rows a second; 0: no limit.")]
Jobs = Annotated[int, typer.Option(min=1, max=64, help="Connections, and processes that seal.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, under which locks; change nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
InPlace = Annotated[
    bool, typer.Option("--in-place", help="One rewrite under a lock; the column keeps its position. For small tables.")
]
VacuumFull = Annotated[
    bool, typer.Option("--vacuum-full", help="Then VACUUM FULL: old values leave the table's files. Locks the table.")
]
FireTriggers = Annotated[
    bool, typer.Option("--fire-triggers", help="Accept that the table's own UPDATE triggers fire for every row.")
]
Abort = Annotated[bool, typer.Option("--abort", help="Undo a job that was begun and not finished.")]
DEFAULT_BATCH: Final = BATCH
DEFAULT_JOBS: Final = 2

_BATCHES: Final = ("convert batches", "ROW EXCLUSIVE, and the rows of one batch for the time of its UPDATE")
ONLINE: Final = (
    ("add shadow column and triggers", "ACCESS EXCLUSIVE, for milliseconds; waits 300 ms at most, then tries again"),
    _BATCHES,
    ("build indexes concurrently, analyze", "SHARE UPDATE EXCLUSIVE: reads and writes go on"),
    ("last rows and swap", "ACCESS EXCLUSIVE, well below a second; waits 300 ms at most, then tries again"),
    ("validate constraints", "SHARE UPDATE EXCLUSIVE: reads and writes go on"),
)
IN_ROWS: Final = (_BATCHES,)
IN_PLACE: Final = (
    ("convert, rewrite the table, build indexes", "ACCESS EXCLUSIVE until all is done: nobody reads or writes"),
)


def steps_of(plan: Plan) -> tuple[tuple[str, str], ...]:
    """(step, its locks) of what is going to be done."""
    return IN_PLACE if plan.in_place else IN_ROWS if plan.in_rows else ONLINE


class Display:
    """Progress as a bar on a terminal, otherwise a line now and then; as JSON, a line of that."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._console = Console(stderr=True, highlight=False)
        self._bar: Bar | None = None
        self._last = (0.0, "")
        if not as_json and self._console.is_terminal:
            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.completed:,.0f} rows"),
                TextColumn("{task.fields[rate]:,.0f}/s"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
            )
            self._task = self._bar.add_task("", total=None, rate=0.0)

    def __enter__(self) -> Display:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def announce(self, plan: Plan) -> None:
        """Says what is going to be done and under which locks, before the first one is taken."""
        if self._as_json:
            self.line(**as_data(plan))
        else:
            for line in described(plan):
                self._console.print(Text(line), soft_wrap=True)

    def show(self, progress: Progress) -> None:
        label = f"{progress.phase} {progress.column}".rstrip()
        if self._bar is not None:
            total = max(progress.total, progress.rows) or None
            self._bar.update(self._task, description=label, completed=progress.rows, total=total, rate=progress.rate)
            return
        now = time.monotonic()
        since, phase = self._last
        if phase == label and now - since < (_OBJECT_EVERY if self._as_json else _LINE_EVERY):
            return
        self._last = now, label
        if self._as_json:
            self.line(
                event="progress",
                phase=progress.phase,
                column=progress.column,
                rows=progress.rows,
                total=round(progress.total),
                rate=round(progress.rate),
            )
        else:
            rows = f": {progress.rows:,} rows, {progress.rate:,.0f}/s" if progress.rows else ""
            self._console.print(Text(label + rows), soft_wrap=True)

    def line(self, **fields: object) -> None:
        typer.echo(json.dumps(fields))


def until_stopped(work: Callable[[asyncio.Event], Coroutine[Any, Any, _T]]) -> _T:
    """Runs `work` with an event that SIGINT sets; a second SIGINT ends it at once, which is as safe."""

    async def main() -> _T:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def interrupt() -> None:
            stop.set()
            loop.remove_signal_handler(signal.SIGINT)

        loop.add_signal_handler(signal.SIGINT, interrupt)
        return await work(stop)

    return asyncio.run(main())


def changing(operation: Operation, text: str, more: Callable[..., Before] | None = None) -> Callable[..., int]:
    """The command for `operation`; `text` is what --help says of it, `more` has the options that it alone takes."""

    def change(
        database: Database,
        columns: Columns,
        config: ConfigFile,
        dsn: Dsn,
        in_place: InPlace = False,
        batch: Batch = DEFAULT_BATCH,
        max_rate: MaxRate = 0,
        jobs: Jobs = DEFAULT_JOBS,
        dry_run: DryRun = False,
        as_json: AsJson = False,
        vacuum_full: VacuumFull = False,
        fire_triggers: FireTriggers = False,
        abort: Abort = False,
        before: Before | None = None,
    ) -> int:
        order = Order(operation, database, tuple(columns), in_place, vacuum_full, fire_triggers, before)
        return do(
            config,
            dsn,
            order,
            batch=batch,
            max_rate=max_rate,
            jobs=jobs,
            dry_run=dry_run,
            as_json=as_json,
            abort=abort,
        )

    change.__name__ = operation.value
    change.__doc__ = text
    return with_options(change, more)


def with_options(change: Callable[..., int], more: Callable[..., Before] | None) -> Callable[..., int]:
    """`change` as typer is to see it: in place of `before`, the options of `more`, which makes that of them."""
    own = inspect.signature(change, eval_str=True)
    added = [] if more is None else list(inspect.signature(more, eval_str=True).parameters.values())
    names = [option.name for option in added]

    @functools.wraps(change)
    def run(**given: Any) -> int:
        options = {name: given.pop(name) for name in names}
        return change(**given, **({} if more is None else {"before": more(**options)}))

    kept = [parameter for name, parameter in own.parameters.items() if name != "before"]
    signature = own.replace(parameters=[*kept, *added])
    vars(run)["__signature__"] = signature
    run.__annotations__ = {name: parameter.annotation for name, parameter in signature.parameters.items()}
    return run


def do(
    config: Path,
    dsn: str,
    order: Order,
    *,
    batch: int,
    max_rate: float,
    jobs: int,
    dry_run: bool,
    as_json: bool,
    abort: bool,
) -> int:
    """The command itself. Returns its exit code; errors surface as the operations raise them."""
    loaded = read_config(config)
    if dry_run:
        return describe(asyncio.run(look(loaded, order, dsn)), as_json=as_json)
    with Display(as_json=as_json) as display:

        def settings(stop: asyncio.Event) -> Settings:
            return Settings(dsn, batch, max_rate, jobs, stop=stop, report=display.show)

        if abort:
            given_up = until_stopped(lambda stop: give_up(loaded, order, settings(stop)))
        else:
            plan, result = until_stopped(lambda stop: run(loaded, order, settings(stop), display.announce))
    if abort:
        _say(display, as_json, "aborted" if given_up else "nothing to abort", event="aborted", done=given_up)
        return 0
    finish(display, plan, result, order, as_json=as_json)
    return 0


def _say(display: Display, as_json: bool, text: str, **fields: object) -> None:
    if as_json:
        display.line(**fields)
    else:
        typer.echo(text)


def describe(plan: Plan, *, as_json: bool) -> int:
    """--dry-run. Exit code 0: can be done, 2: cannot."""
    if as_json:
        typer.echo(json.dumps(as_data(plan)))
    else:
        for line in described(plan):
            typer.echo(line)
    return COULD_NOT if plan.objections else 0


def as_data(plan: Plan) -> dict[str, object]:
    """The plan as the first object that --json prints."""
    return {
        "event": "plan",
        "operation": plan.operation.value,
        "columns": list(plan.names),
        "terms": list(plan.terms),
        "under_way": plan.phase,
        "steps": [{"step": step, "lock": lock} for step, lock in steps_of(plan)],
        "notes": list(plan.notes),
        "objections": list(plan.objections),
    }


def described(plan: Plan) -> list[str]:
    """The plan in lines."""
    lines = []
    for name, terms, target in zip(plan.names, plan.terms, plan.targets, strict=False):
        rows = f"about {target.rows:,.0f} rows" if target.rows >= 0 else "never analyzed"
        lines.append(f"{plan.operation} {name} ({terms}), {rows}")
    if plan.phase is not None:
        lines.append(f"goes on with a job in phase {plan.phase}")
    lines += [f"  {step}: {lock}" for step, lock in steps_of(plan)]
    lines += [f"  note: {note}" for note in plan.notes]
    return lines + [f"  cannot: {objection}" for objection in plan.objections]


def finish(display: Display, plan: Plan, result: Result | None, order: Order, *, as_json: bool) -> None:
    """What was done, and what still holds the old values."""
    names = ", ".join(plan.names)
    if result is None:
        _say(display, as_json, f"{names}: nothing to do", event="done", columns=list(plan.names), rows=0)
        return
    _say(
        display,
        as_json,
        f"{order.operation} {names}: {result.rows:,} rows in {result.seconds:,.1f} s"
        f" ({result.fill_rate:,.0f} rows/s while filling; {result.locked * 1000:,.0f} ms under lock)",
        event="done",
        columns=list(plan.names),
        rows=result.rows,
        seconds=round(result.seconds, 3),
        rate=round(result.fill_rate),
        locked=round(result.locked, 3),
    )
    if not as_json:
        for line in afterwards(order):
            typer.echo(line)


def afterwards(order: Order) -> list[str]:
    """What the operator should still do."""
    lines = []
    if order.operation is Operation.SEAL:
        lines.append("remove pending: true from the column's entry and reload the proxies (SIGHUP)")
        if not order.vacuum_full:
            lines.append(
                "the old values are still in dead space of the table's files until VACUUM FULL rewrites them"
                " (this command with --vacuum-full); the table has grown by about its own size"
            )
        lines.append(
            "WAL, WAL archives, replicas' files and backups from before hold the old values: let them expire, and take"
            " a new base backup"
        )
    elif order.operation is Operation.RESEAL:
        lines.append("backups from before need the old key: retire it only when they are gone")
    else:
        lines.append("remove the column's entry from columns.yaml and reload the proxies (SIGHUP)")
    return lines
