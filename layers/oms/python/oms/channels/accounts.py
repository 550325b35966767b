"""The accounts of channels as workers reach them: opened by name, kept with their tokens, closed to late calls.

What an account may be told or asked, its channel's file says (`registry`); how it is reached, its settings.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from oms.channels import registry
from oms.channels.client import ChannelApi, Limits
from oms.domain.catalog import ChannelAccount
from oms.domain.errors import CredentialsRefused
from oms.runtime.http import HttpClient

MAX_OPEN = 200
"""Accounts a worker keeps open; beyond it starts over."""


@dataclass(slots=True)
class ChannelAccounts:
    """Every account of every channel. Make one per worker.

    `settings_of` and `credentials_of` are asked by channel and account; the latter also whether to read anew.
    `keep_credential` is told channel and account, then what `KeepCredential` is told.
    """

    settings_of: Callable[[str, str], ChannelAccount | None]
    credentials_of: Callable[[str, str, bool], Mapping[str, str]]
    http: HttpClient
    limits: Limits
    now: Callable[[], datetime]
    keep_credential: Callable[[str, str, str, str, str], None]
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _ends_at: float = math.inf
    _open: dict[str, ChannelApi] = field(default_factory=dict)

    def end_within(self, seconds: float) -> None:
        """From now on nothing is asked of any channel later than this: the invocation ends soon after."""
        self._ends_at = self.clock() + seconds

    def api(self, channel_account: str) -> ChannelApi:
        """The account as its channel's file calls it. Raises CredentialsRefused for one that was never set up: what is
        for it waits until somebody does; Retryable."""
        channel, _, account = channel_account.partition("#")
        settings = self.settings_of(channel, account)
        if settings is None:
            raise CredentialsRefused(f"no account {channel_account} is set up")
        api = self._open.get(channel_account)
        if api is None or api.settings != settings:
            api = self._opened(channel, account, settings)
        api.ends_at = self._ends_at
        return api

    def can(self, channel_account: str, operation: str) -> bool:
        """Whether the account's channel offers the operation."""
        return registry.can(channel_account.partition("#")[0], operation)

    def run(self, channel_account: str, operation: str, *arguments: Any) -> Any:
        """Runs an operation of the channel's file on the account: `run("amazon#us", "fetch", "902-…")`.

        Raises NotSupported, CredentialsRefused as `api`, and what the operation raises.
        """
        run = registry.operation(channel_account.partition("#")[0], operation)
        return run(self.api(channel_account), *arguments)

    def constant(self, channel_account: str, name: str, default: int) -> int:
        """A number that the channel's file states about itself, such as LAG_SECONDS."""
        return int(getattr(registry.module(channel_account.partition("#")[0]), name, default))

    def _opened(self, channel: str, account: str, settings: ChannelAccount) -> ChannelApi:
        if len(self._open) >= MAX_OPEN:
            self._open.clear()
        opened = ChannelApi(
            channel=channel,
            account=account,
            settings=settings,
            http=self.http,
            limits=self.limits,
            read_credentials=lambda anew: self.credentials_of(channel, account, anew),
            now=self.now,
            keep_credential=partial(self.keep_credential, channel, account),
            clock=self.clock,
            sleep=self.sleep,
        )
        self._open[f"{channel}#{account}"] = opened
        return opened
