"""The command line: what a planner can do without writing Python.

Exit codes: 0 all is well, 1 the data or the plan are at fault, 2 a file cannot be read or written,
3 ccm_geo itself is at fault.
"""

import difflib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .errors import CcmGeoError, DataError, SourceError

if TYPE_CHECKING:
    from pandas import DataFrame
    from rich.console import Console

    from .schemas import Note
    from .study.pipeline import Watch

app = typer.Typer(
    name="ccm-geo",
    help="Plan survey and clearance of contaminated land: measure, score, plan, show - offline.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_FAULTS = ("repaired", "set aside", "dropped", "unknown")
_MOST_ROWS = 12
_ALIKE = 0.8  # a name so near to one of a study's tables is taken for a slip of it

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print the seconds of every stage.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show where in the program an error arose.")]


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder to write into.")] = Path("out", "demo"),
    *,
    quiet: Quiet = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Run the whole job on an invented province and say where its map and workbook are."""
    with _in_plain_words(debug=debug):
        from .study import sample_folder  # noqa: PLC0415 - --help stays light

        _run(sample_folder() / "study.toml", out, quiet=quiet, verbose=verbose)


@app.command()
def run(
    study: Annotated[Path, typer.Argument(help="The study file; ccm-geo init writes one to fill in.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder to write into; out/NAME of the study where not given.")
    ] = None,
    *,
    quiet: Quiet = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Run a study: read, measure, score, plan, and write map, workbook and GeoPackage."""
    with _in_plain_words(debug=debug):
        _run(study, out or Path("out", study.stem), quiet=quiet, verbose=verbose)


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Tables, or a study.toml to check all its tables.")],
    table: Annotated[
        str, typer.Option(help="What the files hold; ccm-geo schema lists the tables.")
    ] = "hazards",
    rename: Annotated[
        list[str] | None, typer.Option(help="THEIRS=OURS: a column's name in the file and in ccm_geo.")
    ] = None,
    values: Annotated[
        list[str] | None, typer.Option(help="COLUMN:THEIRS=OURS: a code in the file and in ccm_geo.")
    ] = None,
    layer: Annotated[str | None, typer.Option(help="Layer of the file.")] = None,
    crs: Annotated[str | None, typer.Option(help="CRS of a file that has none, like EPSG:4326.")] = None,
    *,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Say what is wrong with tables, by kind and row. Exit code 0: nothing; 1: faults; 2: unreadable."""
    with _in_plain_words(debug=debug):
        given = {"layer": layer, "crs": crs, "rename": _pairs(rename), "values": _codes(values)}
        worst = max(_check(file, table, given, quiet=quiet) for file in files)
    raise typer.Exit(worst)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where to write it.")] = Path(),
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace a study.toml that is there.")] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Write a commented study.toml to fill in."""
    with _in_plain_words(debug=debug):
        from .study.samples import write_template  # noqa: PLC0415 - --help stays light

        path = write_template(folder, replace=force)
        if not quiet:
            typer.echo(f"{path} is written: fill it in, then run\n  ccm-geo run {path}")


@app.command()
def schema(
    table: Annotated[
        str | None,
        typer.Argument(help="Name of a table, or of a rule or function of study.toml; all where not given."),
    ] = None,
    *,
    debug: Debug = False,
) -> None:
    """Print the columns of a table with units, codes and meaning, or the keys of a rule of study.toml."""
    with _in_plain_words(debug=debug):
        from ._columns import TABLES  # noqa: PLC0415 - --help stays light
        from .schemas import describe  # noqa: PLC0415

        if table is None:
            _print_table(["table", "meaning"], [(name, spec.meaning) for name, spec in TABLES.items()])
            _print_frame(_describe_study())
            return
        if table in TABLES or not _of_study(table):
            _print_frame(describe(table))
            return
        _print_frame(_describe_study(table))
        typer.echo('In study.toml {"P01": 24} is written {P01 = 24}, and "" stands for None.')


def _of_study(name: str) -> bool:
    names = _describe_study()["table"].str.strip("[]").tolist()
    return bool(difflib.get_close_matches(name.strip("[]"), names, 1, _ALIKE))


def _describe_study(name: str = "") -> "DataFrame":
    from .study import describe_study  # noqa: PLC0415 - --help stays light

    return describe_study(name.strip("[]"))


def _print_frame(told: "DataFrame") -> None:
    _print_table(list(told.columns), list(told.itertuples(index=False, name=None)))


def _run(study: Path, out: Path, *, quiet: bool, verbose: bool) -> None:
    from .study import read_study, run_study, summary  # noqa: PLC0415 - --help stays light

    settings = read_study(study)
    with _progress(quiet=quiet, verbose=verbose) as watch:
        outcome = run_study(settings, out, watch=watch)
    if not quiet:
        typer.echo(summary(outcome))


@contextmanager
def _progress(*, quiet: bool, verbose: bool) -> "Iterator[Watch]":
    """Show on the error stream what goes on, so that the output can be kept."""
    console = _console(stderr=True)
    with console.status("starting") if not quiet and console.is_terminal else nullcontext() as status:

        def watch(name: str, seconds: float | None = None) -> None:
            if seconds is not None and verbose and not quiet:
                typer.echo(f"{seconds:8.2f} s  {name}", err=True)
            elif seconds is None and status is not None:
                status.update(name)

        yield watch


def _check(file: Path, table: str, given: dict[str, Any], *, quiet: bool) -> int:
    """Read one file, or all of a study, and print what was found; give the exit code."""
    try:
        found = (
            _notes_of_study(file) if file.suffix.lower() == ".toml" else _notes_of_file(file, table, given)
        )
    except SourceError as reason:
        typer.echo(f"{file}: {reason}" if str(file) not in str(reason) else str(reason), err=True)
        return 2
    except DataError as reason:
        typer.echo(f"{file}\n{_all_failures(reason)}", err=True)
        return 1
    faults = [note for note in found if note.kind in _FAULTS]
    if not quiet:
        _print_notes(file, found, faults)
    return 1 if faults else 0


def _notes_of_file(file: Path, table: str, given: dict[str, Any]) -> "Sequence[Note]":
    from . import io  # noqa: PLC0415 - --help stays light
    from .schemas import notes_of, table_named  # noqa: PLC0415

    read = getattr(io, f"read_{table_named(table).name}")
    return notes_of(read(file, **{key: value for key, value in given.items() if value}))


def _notes_of_study(file: Path) -> "Sequence[Note]":
    from .schemas import notes_of  # noqa: PLC0415 - --help stays light
    from .study import read_study  # noqa: PLC0415
    from .study.pipeline import read_tables  # noqa: PLC0415

    return notes_of(*read_tables(read_study(file)).values())


def _print_notes(file: Path, found: "Sequence[Note]", faults: "Sequence[Note]") -> None:
    if not found:
        typer.echo(f"{file}: nothing is wrong")
        return
    count = f"{len(faults)} kinds of faults" if faults else "no faults, but some advice"
    typer.echo(f"{file}: {count}")
    rows = [
        (note.table, note.kind, note.affected or "", _rows(note), note.text)
        for note in sorted(found, key=lambda note: (note.table, note.kind not in _FAULTS))
    ]
    _print_table(["table", "kind", "records", "which", "what"], rows)


def _rows(note: "Note") -> str:
    more = len(note.rows) - _MOST_ROWS
    return ", ".join(note.rows[:_MOST_ROWS]) + (f" and {more:,} more" if more > 0 else "")


def _all_failures(reason: DataError) -> str:
    first = str(reason).split("\n", 1)[0]
    return "\n".join([first, *[f"  {line}" for line in reason.failures]])


def _pairs(given: Sequence[str] | None) -> dict[str, str]:
    found = {}
    for text in given or ():
        theirs, sign, ours = text.partition("=")
        if not sign:
            raise DataError(f"--rename {text}: write it as THEIRS=OURS, for example HA_ID=hazard_id")
        found[theirs] = ours
    return found


def _codes(given: Sequence[str] | None) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for text in given or ():
        column, colon, rest = text.partition(":")
        theirs, sign, ours = rest.partition("=")
        if not (colon and sign):
            raise DataError(f"--values {text}: write it as COLUMN:THEIRS=OURS, like hazard_class:S=SHA")
        found.setdefault(column, {})[theirs] = ours
    return found


def _console(*, stderr: bool = False) -> "Console":
    from rich.console import Console  # noqa: PLC0415 - --help stays light

    return Console(stderr=stderr, markup=False, highlight=False, emoji=False, soft_wrap=False)


def _print_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows; the last column holds the sentence and takes what room there is."""
    from rich import box, table, text  # noqa: PLC0415 - --help stays light

    console = _console()
    if not console.is_terminal:
        console.width = 120
    shown = table.Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for name in head:
        shown.add_column(
            name, overflow="fold", no_wrap=name == head[0], ratio=1 if name == head[-1] else None
        )
    for row in rows:
        shown.add_row(*[text.Text(str(cell)) for cell in row])
    console.print(shown)


@contextmanager
def _in_plain_words(*, debug: bool) -> Iterator[None]:
    """Turn errors into sentences and exit codes; the program's own faults ask to be reported."""
    try:
        yield
    except (CcmGeoError, KeyboardInterrupt, Exception) as reason:
        if debug or isinstance(reason, typer.Exit | typer.Abort):
            raise
        typer.echo(_spoken(reason), err=True)
        raise typer.Exit(_exit_code(reason)) from reason


def _spoken(reason: BaseException) -> str:
    if isinstance(reason, DataError):
        return _all_failures(reason)
    if isinstance(reason, CcmGeoError):
        return str(reason)
    if isinstance(reason, KeyboardInterrupt):
        return "stopped"
    return (
        f"ccm_geo failed in a way that it should not: {type(reason).__name__}: {reason}\n"
        "Please report it with what the same command prints with --debug."
    )


def _exit_code(reason: BaseException) -> int:
    if isinstance(reason, SourceError):
        return 2
    if isinstance(reason, CcmGeoError):
        return 1
    return 130 if isinstance(reason, KeyboardInterrupt) else 3


def main() -> None:
    """Run the command line, with texts in any script also where the console is set to another."""
    # Arrow would else keep what it once used; a country then needs 90 MB more (measured on 20,000 hazards).
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    app()
