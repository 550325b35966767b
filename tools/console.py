"""What people see: steps and live progress with rich on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table

PLAIN_WIDTH = 120
BAR_WIDTH = 40


class Screen:
    """Lines that stay, and one line that moves. Use as a context manager while something moves.

    Everything goes to standard output; the caller prints what must be last there after it has closed.
    """

    def __init__(self) -> None:
        self.is_live = sys.stdout.isatty()
        self.console = Console(width=None if self.is_live else PLAIN_WIDTH, highlight=False)
        self._live: Live | None = None
        self._last = ""
        self._began = time.monotonic()

    def say(self, text: str) -> None:
        """A line that stays, with the seconds since the start."""
        self.console.print(f"[dim]{time.monotonic() - self._began:6.1f} s[/dim]  {text}")

    def heading(self, text: str) -> None:
        """A title that stays."""
        self.settle()
        self.console.print(f"\n[bold]{text}[/bold]")

    def status(self, text: str) -> None:
        """What is going on now: moves on a terminal; elsewhere printed when its first words change."""
        if self.is_live:
            self.show(Spinner("dots", text=text))
        elif text.partition(":")[0] != self._last.partition(":")[0]:
            self.say(text)
        self._last = text

    def progress(self, title: str, done: int, total: int) -> None:
        """How far it is of a total known by and large: a bar on a terminal; elsewhere a line when the title changes."""
        counted = f"{done} of about {total}"
        self.status(f"{title}: {counted}")
        row = Table.grid(padding=(0, 1))
        row.add_row(title, ProgressBar(max(total, done, 1), done, width=BAR_WIDTH), counted)
        self.show(row)

    def show(self, moving: RenderableType) -> None:
        """Replaces the moving part (terminals only)."""
        if not self.is_live:
            return
        if self._live is None:
            self._live = Live(console=self.console, transient=True, refresh_per_second=8)
            self._live.start()
        self._live.update(moving)

    def settle(self) -> None:
        """Ends the moving part."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def print(self, what: RenderableType = "") -> None:
        """Anything that stays, without the seconds: tables, text."""
        self.settle()
        self.console.print(what)
