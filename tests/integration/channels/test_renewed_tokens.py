"""Refresh tokens that change when they are used: the new one is kept, whoever else signs in or dies meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from oms import wiring
from oms.channels import ebay, etsy
from oms.channels.client import ChannelApi
from oms.domain.errors import CredentialsRefused, Unavailable
from oms.runtime import clients
from oms.runtime.functions import metrics
from oms.runtime.secrets import REFETCH_AFTER_SECONDS, Secrets
from tests.integration.channels import ebay_seller, etsy_shop
from tests.integration.stage import Stage
from tests.scripted_server import Asked, Reply, ScriptedServer, account_api, in_order

NAME = "oms/test/channels/etsy/main"
NO_RECEIPTS = Reply(200, {"count": 0, "results": []})


class TokenOffice:
    """Gives a new refresh token with each access token. A `strict` one takes each refresh token once only."""

    def __init__(self, *, strict: bool = False) -> None:
        self.strict = strict
        self.good = ["r0"]
        self.meanwhile: Callable[[], None] = lambda: None

    def __call__(self, asked: Asked) -> Reply:
        if asked.form["refresh_token"] not in self.good:
            return Reply(400, {"error": "invalid_grant"})
        if self.strict:
            self.good.clear()
        number = len(self.good) if not self.strict else int(asked.form["refresh_token"][1:]) + 1
        self.good.append(f"r{number}")
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        return Reply(200, {"access_token": f"t{number}", "expires_in": 3600, "refresh_token": f"r{number}"})


class Clock:
    """Seconds that pass when told to."""

    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def manager(stage: Stage) -> Any:
    found = clients.client("secretsmanager")
    credentials = {"api_key": "keystring", "refresh_token": "r0"}
    found.create_secret(Name=NAME, SecretString=json.dumps({"signing_secrets": ["s"], "credentials": credentials}))
    return found


def held(manager: Any) -> Any:
    return json.loads(manager.get_secret_value(SecretId=NAME)["SecretString"])


def hold(manager: Any, **changes: Any) -> None:
    now = held(manager)
    now["credentials"] |= changes
    manager.put_secret_value(SecretId=NAME, SecretString=json.dumps(now))


def worker(server: ScriptedServer, manager: Any, clock: Clock | None = None) -> ChannelApi:
    """One that reads and keeps the account's credentials as deployed workers do."""
    secrets = Secrets(manager, "test", clock or Clock())
    api = account_api("etsy", server.url, options={"shop_id": "99001"})
    api.read_credentials = lambda anew: secrets.credentials("channels", "etsy", "main", anew=anew)
    api.keep_credential = partial(wiring.keep_credential, secrets, "etsy", "main")
    return api


def ask(api: ChannelApi) -> None:
    etsy.pull(api, etsy_shop.WINDOW, None)


def sign_in_again(api: ChannelApi) -> None:
    """As after an hour, when the access token is over."""
    api._tokens.clear()
    ask(api)


def shop(office: TokenOffice) -> ScriptedServer:
    return ScriptedServer({etsy_shop.TOKEN_PATH: office, etsy_shop.RECEIPTS_PATH: NO_RECEIPTS})


def used(server: ScriptedServer) -> list[str]:
    return [one.form["refresh_token"] for one in server.of(etsy_shop.TOKEN_PATH)]


@pytest.mark.parametrize("strict", [False, True])
def test_a_new_refresh_token_is_kept_and_nothing_else_of_the_secret_changes(manager: Any, strict: bool) -> None:
    with shop(TokenOffice(strict=strict)) as server:
        ask(worker(server, manager))
        assert held(manager) == {
            "signing_secrets": ["s"],
            "credentials": {"api_key": "keystring", "refresh_token": "r1"},
        }
        ask(worker(server, manager))
        assert used(server) == ["r0", "r1"]


def test_the_worker_that_kept_it_uses_it_next_time(manager: Any) -> None:
    with shop(TokenOffice(strict=True)) as server:
        api = worker(server, manager)
        ask(api)
        sign_in_again(api)
        assert used(server) == ["r0", "r1"]
        assert held(manager)["credentials"]["refresh_token"] == "r2"


@pytest.mark.parametrize("answer", [{}, {"refresh_token": "r0"}, {"refresh_token": ""}, {"refresh_token": 7}])
def test_an_answer_without_another_refresh_token_writes_nothing(manager: Any, answer: dict[str, Any]) -> None:
    token = Reply(200, {"access_token": "t", "expires_in": 3600, **answer})
    with ScriptedServer({etsy_shop.TOKEN_PATH: token, etsy_shop.RECEIPTS_PATH: NO_RECEIPTS}) as server:
        ask(worker(server, manager))
    assert len(manager.list_secret_version_ids(SecretId=NAME)["Versions"]) == 1


def test_a_refresh_token_that_a_person_put_there_meanwhile_stays(manager: Any) -> None:
    office = TokenOffice()
    office.meanwhile = lambda: hold(manager, refresh_token="by-hand", api_key="other")
    with shop(office) as server:
        ask(worker(server, manager))
    assert held(manager)["credentials"] == {"api_key": "other", "refresh_token": "by-hand"}


def test_what_else_a_person_changed_meanwhile_stays_beside_the_new_token(manager: Any) -> None:
    office = TokenOffice()
    office.meanwhile = lambda: hold(manager, api_key="other")
    with shop(office) as server:
        ask(worker(server, manager))
    assert held(manager)["credentials"] == {"api_key": "other", "refresh_token": "r1"}


def test_of_two_workers_at_the_same_time_one_keeps_its_token_and_both_go_on(manager: Any) -> None:
    with shop(TokenOffice()) as server:
        first, second = worker(server, manager), worker(server, manager)
        keep = first.keep_credential

        def keep_after_the_second(*told: str) -> None:
            ask(second)
            keep(*told)

        first.keep_credential = keep_after_the_second
        ask(first)
    assert held(manager)["credentials"]["refresh_token"] == "r2"
    assert first.token("access", lambda: pytest.fail("it has one")) == "t1"
    assert second.token("access", lambda: pytest.fail("it has one")) == "t2"


def test_two_that_read_the_same_version_do_not_write_over_each_other(
    manager: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The id of the next version follows from the one that it replaces."""
    ours, theirs = Secrets(manager, "test"), Secrets(manager, "test")
    put = manager.put_secret_value

    def after_another(**wanted: Any) -> Any:
        monkeypatch.setattr(manager, "put_secret_value", put)
        assert theirs.keep_credential("channels", "etsy", "main", credential="refresh_token", used="r0", given="theirs")
        return put(**wanted)

    monkeypatch.setattr(manager, "put_secret_value", after_another)
    assert not ours.keep_credential("channels", "etsy", "main", credential="refresh_token", used="r0", given="ours")
    assert held(manager)["credentials"]["refresh_token"] == "theirs"
    assert ours.credentials("channels", "etsy", "main")["refresh_token"] == "theirs"


def test_a_version_that_a_person_went_back_to_is_followed_by_another_one(
    manager: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that once followed it is there still, though nobody reads it."""
    asked: list[str] = []
    put = manager.put_secret_value

    def is_there(**wanted: Any) -> Any:
        asked.append(wanted["ClientRequestToken"])
        if len(asked) == 1:
            raise ClientError({"Error": {"Code": "ResourceExistsException"}}, "PutSecretValue")
        return put(**wanted)

    monkeypatch.setattr(manager, "put_secret_value", is_there)
    secrets = Secrets(manager, "test")
    assert secrets.keep_credential("channels", "etsy", "main", credential="refresh_token", used="r0", given="r1")
    assert len(set(asked)) == 2
    assert held(manager)["credentials"]["refresh_token"] == "r1"


def test_a_worker_that_died_before_it_wrote_leaves_the_token_that_it_used(manager: Any) -> None:
    """Etsy takes a refresh token for 90 days, however often it was used."""
    with shop(TokenOffice()) as server:
        dying = worker(server, manager)

        def dies(*_: str) -> None:
            raise KeyboardInterrupt

        dying.keep_credential = dies
        with pytest.raises(KeyboardInterrupt):
            ask(dying)
        ask(worker(server, manager))
        assert used(server) == ["r0", "r0"]
    assert held(manager)["credentials"]["refresh_token"] == "r2"


def test_a_token_refused_because_another_worker_renewed_it_is_read_anew(manager: Any) -> None:
    clock = Clock()
    with shop(TokenOffice(strict=True)) as server:
        late = worker(server, manager, clock)
        assert late.credentials["refresh_token"] == "r0"
        ask(worker(server, manager))
        clock.seconds += REFETCH_AFTER_SECONDS + 1
        ask(late)
        assert used(server) == ["r0", "r0", "r1"]
    assert held(manager)["credentials"]["refresh_token"] == "r2"


def test_a_token_that_is_refused_for_good_is_tried_once_and_nothing_is_written(manager: Any) -> None:
    office = TokenOffice()
    office.good = ["another"]
    with shop(office) as server:
        with pytest.raises(CredentialsRefused):
            ask(worker(server, manager))
        assert used(server) == ["r0"]
    assert held(manager)["credentials"]["refresh_token"] == "r0"


def test_what_can_not_be_kept_is_told_without_the_token_and_the_call_goes_on(
    manager: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(**_: Any) -> Any:
        raise EndpointConnectionError(endpoint_url="https://secrets.example")

    with shop(TokenOffice()) as server:
        api = worker(server, manager)
        monkeypatch.setattr(manager, "put_secret_value", refuses)
        metrics.clear_metrics()
        ask(api)
        assert server.of(etsy_shop.RECEIPTS_PATH)[0].headers["authorization"] == "Bearer t1"
    (told,) = [one for one in caplog.records if one.levelname == "ERROR"]
    assert told.getMessage() == "a changed credential is not kept"
    assert "r1" not in told.__dict__.values()
    assert told.__dict__["channel_account"] == "etsy#main"
    assert "CredentialsNotKept" in metrics.metric_set
    metrics.clear_metrics()


def test_ebay_keeps_a_new_refresh_token_too() -> None:
    kept: list[tuple[str, str, str]] = []
    token = Reply(200, {**ebay_seller.TOKEN.body, "refresh_token": "v^1.1#new"})
    page = Reply(200, {"total": 0, "orders": []})
    with ScriptedServer({ebay_seller.TOKEN_PATH: token, ebay_seller.ORDERS_PATH: page}) as server:
        api = ebay_seller.account(server)
        api.keep_credential = lambda *told: kept.append(told)
        ebay.pull(api, ebay_seller.WINDOW, None)
    assert kept == [("refresh_token", "v^1.1#r", "v^1.1#new")]


def test_a_sign_in_that_is_not_there_says_nothing_of_the_order_that_was_asked_for() -> None:
    """A 404 of an order means that it is gone; one of the sign-in must not be taken for it."""
    with ScriptedServer({}) as server, pytest.raises(Unavailable):
        etsy.fetch(etsy_shop.account(server), etsy_shop.RECEIPT_ID)
    found = in_order(Reply(404), etsy_shop.TOKEN)
    receipt = Reply(200, etsy_shop.receipt())
    with ScriptedServer({etsy_shop.TOKEN_PATH: found, etsy_shop.RECEIPT_PATH: receipt}) as server:
        api = etsy_shop.account(server)
        with pytest.raises(Unavailable):
            etsy.fetch(api, etsy_shop.RECEIPT_ID)
        assert etsy.fetch(api, etsy_shop.RECEIPT_ID).channel_order_id == etsy_shop.RECEIPT_ID
