"""`make run`: the whole system on this machine, from nothing to a delivered order, in one command.

Environment: ONCE=1 ends after the demonstration; OMS_PORT and OMS_STAND_IN_PORT choose other ports.
Exit codes: 0 everything ended as it should, 1 something did not, 2 it could not start (the message says why),
130 it was interrupted before the demonstration had ended.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from tools import demonstration, guide, system
from tools.console import Screen
from tools.local_stack import PORT_VARIABLE, LocalStack, StackFailedError
from tools.processes import PortBusyError
from tools.stack_file import STACK_FILE
from tools.stand_ins import PORT_VARIABLE as STAND_IN_PORT_VARIABLE
from tools.waiting import wait_until
from tools.world import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

DEFAULT_PORT = 4566
DEFAULT_STAND_IN_PORT = 4580
FOREVER = float("inf")
INTERRUPTED = 130
KEPT = "The state is kept in .local/; `make run` goes on from it, `make clean` removes it."
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    """Runs everything; returns the exit code."""
    os.environ.pop("AWS_PROFILE", None)  # a person's own AWS set-up has no part in this
    screen = Screen()
    try:
        with _ending_on_signals(), ExitStack() as cleanup:
            return _run(screen, cleanup)
    except KeyboardInterrupt:
        screen.settle()
        print(f"\nEnded before the demonstration did. {KEPT}")
        return INTERRUPTED
    except RefusedError as error:
        screen.settle()
        print(f"\n{error}\nWhat the handlers said: {STACK_FILE.parent}/ministack.log", file=sys.stderr)
        return 1
    except (PortBusyError, StackFailedError) as error:
        screen.settle()
        print(f"\n{error}", file=sys.stderr)
        return 2


def port_from_environment(variable: str, default: int) -> int:
    """The port named by an environment variable. Raises StackFailedError when that is not a port number."""
    text = os.environ.get(variable) or str(default)
    if not text.isdigit() or not 1024 <= int(text) <= 65535:
        raise StackFailedError(f"{variable} must be a port number between 1024 and 65535, not {text!r}.")
    return int(text)


def _run(screen: Screen, cleanup: ExitStack) -> int:
    once = os.environ.get("ONCE", "") not in ("", "0")
    place = system.Place(
        port_from_environment(PORT_VARIABLE, DEFAULT_PORT),
        port_from_environment(STAND_IN_PORT_VARIABLE, DEFAULT_STAND_IN_PORT),
        STACK_FILE.parent,
    )
    screen.heading("The system on this machine")
    running = system.start(place, screen, cleanup)
    outcome = demonstration.run(running.world, running.outside, running.log)
    guide.show_end(running.world, outcome)
    if once:
        cleanup.close()
        print(json.dumps(demonstration.summary(running.world, outcome)), flush=True)
    else:
        guide.show_use(screen, running.description, running.world.stories[0].order_id)
        _stay_up(running.stack)
    return 0 if outcome.is_right else 1


def _stay_up(stack: LocalStack) -> None:
    """Until somebody ends it. Raises StackFailedError should MiniStack end by itself."""
    try:
        wait_until(lambda: not stack.is_running, FOREVER)
    except KeyboardInterrupt:
        print(f"\nEnding. {KEPT}", flush=True)
        return
    raise StackFailedError(f"MiniStack ended by itself. Its log: {stack.server_log}")


@contextmanager
def _ending_on_signals() -> Iterator[None]:
    """While inside, an ending signal raises KeyboardInterrupt; only the first, so that clean-up is whole."""

    def end(_number: int, _frame: FrameType | None) -> None:
        for number in ENDING_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, end) for number in ENDING_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main())
