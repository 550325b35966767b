"""Versions of the routing policy: list and show them, draft, edit, activate and retire one.

    python -m tools.routing_policy list --stage dev
    python -m tools.routing_policy show --document > policy.json      what routing works by, to be changed in an editor
    python -m tools.routing_policy draft policy.json --note "No more than three parcels"
    python -m tools.routing_policy edit 4 policy.json --revision 1
    python -m tools.routing_policy activate 4
    python -m tools.routing_policy draft --copy-of 2                  bring back what is retired

A draft changes nothing. `activate` first tries it on past orders, beside the version in force, and refuses it where
it violates a guard of its own; `--force` with `--note` overrules that, and both are kept. Workers route by the new
version within a minute; an order keeps the version that routed it. Everything here may be run again.

Exit codes: 0 done, 1 refused (the message says why), 2 it could not start (so does this one).
"""

from __future__ import annotations

import argparse
import getpass
import importlib
import json
import sys
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from oms.domain.errors import NotFound, OmsError, Retryable
from oms.domain.policy_versions import Draft, PolicyVersion, Verdict, activated, discarded, drafted, edited
from oms.domain.routing_policy import RoutingPolicy
from oms.domain.routing_policy_form import parse
from oms.domain.routing_policy_rules import MAX_VERSION, warnings
from oms.stores.reference_data import LocationsStore, SettingsStore
from oms.stores.routing_policies import RoutingPoliciesStore, plain
from oms.usecases.policies import Candidate, Policies
from tools import routing_policy_view as view
from tools import stage as stages
from tools.console import Screen
from tools.stage import CANNOT_WORK, Stage

REFUSED, COULD_NOT_START = 1, 2
FROM_STANDARD_INPUT = "-"
MAX_FILE_BYTES = 1_000_000

Told = dict[str, Any]


class UnreadableFileError(Exception):
    """The file is not there, or holds no JSON."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What every command works with."""

    policies: Policies
    stage: Stage
    screen: Screen
    options: argparse.Namespace
    now: datetime

    @property
    def dry_run(self) -> bool:
        return bool(self.options.dry_run)

    def warn(self, policy: RoutingPolicy) -> list[dict[str, str]]:
        """Shows what looks like a mistake, given the locations and rate cards of the stage; returns it."""
        tables = self.stage.client("dynamodb"), self.stage.table_prefix
        found = warnings(policy, LocationsStore(*tables).all(), SettingsStore(*tables).rate_cards())
        if found:
            self.screen.print(view.problems("Worth a second look", found))
        return [asdict(one) for one in found]


def list_versions(desk: Desk) -> Told:
    """Every version, newest first."""
    versions, active = desk.policies.newest(), desk.policies.active()
    if versions:
        desk.screen.print(view.versions(versions))
    if active is None:
        desk.screen.print("No version is active: routing works by the defaults (show prints them).")
    told = [plain(one) for one in versions]
    return {"active": active.version if active else 0, "versions": [_without_document(one) for one in told]}


def show(desk: Desk) -> Told:
    """One version, or what routing works by."""
    wanted = desk.options.version
    known = desk.policies.read(wanted) if wanted else desk.policies.active()
    policy = known.document if known else RoutingPolicy()
    if desk.options.document:
        if not desk.options.json:
            print(json.dumps(_document(policy), indent=2))
        return _document(policy)
    desk.screen.print(view.version(known) if known else "No version is active: routing works by these defaults.")
    desk.screen.print(view.document(_document(policy)))
    told = plain(known) if known else {"version": 0, "document": asdict(policy)}
    return told | {"warnings": desk.warn(policy) if known else []}


def draft(desk: Desk) -> Told:
    """A new version, of a file or as a copy of another version."""
    options = desk.options
    source = desk.policies.read(options.copy_of) if options.copy_of else None
    basis = source or desk.policies.active()
    wanted = Draft(
        policy=parse(_read(options.file)) if source is None else source.document,
        author=options.author,
        note=options.note or "",
        based_on=basis.version if basis else None,
        request_id=uuid.uuid4().hex,
    )
    if desk.dry_run:
        made = drafted(wanted, 1, desk.now)
        desk.screen.print("The policy is sound. It would be drafted as a new version.")
        return {"dry_run": True, "warnings": desk.warn(made.document)}
    made = desk.policies.draft(wanted, desk.now)
    desk.screen.print(f"Version {made.version} was drafted. Next: activate {made.version}")
    return _told(made) | {"warnings": desk.warn(made.document)}


def edit(desk: Desk) -> Told:
    """Another document for a draft."""
    options, policy = desk.options, parse(_read(desk.options.file))
    if desk.dry_run:
        edited(desk.policies.read(options.version), policy, options.note, options.author, desk.now)
        desk.screen.print(f"The policy is sound. Version {options.version} would say so from then on.")
        return {"dry_run": True, "version": options.version, "warnings": desk.warn(policy)}
    made = desk.policies.edit(
        options.version, options.revision, policy, note=options.note, actor=options.author, now=desk.now
    )
    desk.screen.print(f"Version {made.version} is at revision {made.revision}. Next: activate {made.version}")
    return _told(made) | {"warnings": desk.warn(made.document)}


def activate(desk: Desk) -> Told:
    """Tries a draft on past orders and makes it the version routing works by."""
    options, forced_note = desk.options, desk.options.note if desk.options.force else None
    candidate = desk.policies.candidate(options.version)
    if candidate.live:
        desk.screen.print(view.already_active(candidate.live))
        return _told(candidate.live)
    verdict = None if options.no_backtest else _backtest(desk, candidate)
    if desk.dry_run:
        activated(candidate.draft, verdict, options.author, desk.now, forced_note=forced_note)
        desk.screen.print(f"Version {options.version} would be activated.")
        return {"dry_run": True, "version": options.version}
    made = desk.policies.activate(candidate, verdict, options.author, desk.now, forced_note=forced_note)
    desk.screen.print(view.now_active(made, candidate.active))
    return _told(made)


def retire(desk: Desk) -> Told:
    """Puts a draft aside."""
    version, author = desk.options.version, desk.options.author
    if desk.dry_run:
        discarded(desk.policies.read(version), author, desk.now)
        desk.screen.print(f"Version {version} would be retired.")
        return {"dry_run": True, "version": version}
    made = desk.policies.retire(version, author, desk.now)
    desk.screen.print(f"Version {version} is retired. Its document stays: draft --copy-of {version} brings it back.")
    return _told(made)


def _backtest(desk: Desk, candidate: Candidate) -> Verdict:
    """What past orders say of the draft beside the policy in force."""
    desk.screen.status(f"version {candidate.draft.version} is tried on past orders")
    backtest: Any = importlib.import_module("tools.backtest")  # large; wanted here alone
    verdict: Verdict = backtest.verdict(
        desk.stage.client, desk.stage.name, candidate.draft.document, candidate.routing_works_by
    )
    desk.screen.print(view.verdict(verdict))
    return verdict


def main(arguments: list[str]) -> int:
    """Parses the command line and does what it says; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    _must_fit_together(parser, options)
    stage, screen = Stage(options.stage), Screen()
    try:
        policies = Policies(RoutingPoliciesStore(stage.client("dynamodb"), stage.table_prefix))
        told = options.run(Desk(policies, stage, screen, options, datetime.now(UTC)))
    except OmsError as error:
        screen.settle()
        return _refuse(error, as_json=options.json)
    except UnreadableFileError as error:
        return _could_not_start(str(error), screen)
    except CANNOT_WORK as error:
        return _could_not_start(stages.explain(error, stage), screen)
    screen.settle()
    if options.json:
        print(json.dumps(told))
    return 0


def _refuse(error: OmsError, *, as_json: bool) -> int:
    """Says what was wrong and what to do next."""
    faults: Any = error.details.get("faults")
    print(view.plain_faults(faults) if faults else f"Refused: {error}.", file=sys.stderr)
    if isinstance(error, NotFound):
        print("`list` says which versions there are.", file=sys.stderr)
    if isinstance(error, Retryable):
        print("Nothing is half done: run it again.", file=sys.stderr)
    if as_json:
        code = type(error).__name__
        print(json.dumps({"error": {"code": code, "message": str(error), "details": error.details}}))
    return REFUSED


def _could_not_start(message: str, screen: Screen) -> int:
    screen.settle()
    print(message, file=sys.stderr)
    return COULD_NOT_START


def _read(file: str) -> Any:
    """The JSON of a file. Raises UnreadableFileError saying which, and where it ends to be JSON."""
    try:
        if file == FROM_STANDARD_INPUT:
            text = sys.stdin.read(MAX_FILE_BYTES)
        else:
            with Path(file).open(encoding="utf-8") as opened:
                text = opened.read(MAX_FILE_BYTES)
        return json.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableFileError(f"{file} can't be read: {error}") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise UnreadableFileError(f"{file} is not JSON: {error.msg} at {where}. Mend that and run it again.") from error


def _document(policy: RoutingPolicy) -> Told:
    """What a file would say: the version is not its matter."""
    return {name: value for name, value in asdict(policy).items() if name != "version"}


def _told(version: PolicyVersion) -> Told:
    return _without_document(plain(version))


def _without_document(told: Told) -> Told:
    return {name: value for name, value in told.items() if name != "document"}


def _must_fit_together(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    if options.run is draft and bool(options.file) == bool(options.copy_of):
        parser.error("draft wants a FILE, or --copy-of a version")
    if options.run is activate and options.force and not (options.note or "").strip():
        parser.error("--force wants a --note that says why: it is kept with the version")
    if options.run is activate and options.no_backtest and not options.force:
        parser.error("--no-backtest is for --force only")


def _number(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= MAX_VERSION:
        raise argparse.ArgumentTypeError(f"a number from 1 to {MAX_VERSION}, not {text!r}")
    return int(text)


def _who() -> str:
    """Who is logged in; nobody where the system does not know, and --author must say it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.routing_policy", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _command(commands, "list", list_versions)
    showing = _command(commands, "show", show)
    showing.add_argument("version", nargs="?", type=_number, metavar="VERSION", help="default: the active one")
    showing.add_argument("--document", action="store_true", help="only its JSON, to be changed and drafted")
    drafting = _command(commands, "draft", draft)
    drafting.add_argument("file", nargs="?", metavar="FILE", help="JSON of the policy; - reads standard input")
    drafting.add_argument("--copy-of", type=_number, metavar="VERSION", help="instead of a file: as that version says")
    editing = _command(commands, "edit", edit)
    editing.add_argument("version", type=_number, metavar="VERSION")
    editing.add_argument("file", metavar="FILE", help="JSON of the policy; - reads standard input")
    editing.add_argument("--revision", type=_number, required=True, metavar="N", help="the one you read (see show)")
    activating = _command(commands, "activate", activate)
    activating.add_argument("version", type=_number, metavar="VERSION")
    activating.add_argument("--force", action="store_true", help="even if guards are violated; wants --note")
    activating.add_argument("--no-backtest", action="store_true", help="with --force: don't try it on past orders")
    retiring = _command(commands, "retire", retire)
    retiring.add_argument("version", type=_number, metavar="VERSION")
    for writing in (drafting, editing, activating, retiring):
        writing.add_argument("--author", default=_who(), metavar="NAME", help="default: who is logged in")
    for noting in (drafting, editing, activating):
        noting.add_argument("--note", metavar="TEXT", help="why; kept with the version")
    return parser


def _command(commands: Any, name: str, run: Callable[[Desk], Told]) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=run.__doc__, description=run.__doc__)
    command.set_defaults(run=run)
    stages.add_arguments(command)
    return command


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
