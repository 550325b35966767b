"""Secrets: remembered for minutes, unknown names too, and strangers can't make us ask without end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from oms.domain.errors import CredentialsRefused, Throttled, Unauthorized, Unavailable
from oms.runtime.secrets import (
    KNOWN_SECONDS,
    MAX_REMEMBERED,
    MAX_UNKNOWN_PER_MINUTE,
    REFETCH_AFTER_SECONDS,
    Secrets,
)


class SecretsManager:
    """Secrets Manager as far as it is used here; it counts what it is asked."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.asked: list[str] = []
        self.fails_with: Exception | None = None

    def hold(self, name: str, *secrets: str) -> None:
        self.texts[name] = json.dumps({"signing_secrets": secrets})

    def get_secret_value(self, SecretId: str) -> dict[str, Any]:  # noqa: N803 - the service's own spelling
        self.asked.append(SecretId)
        if self.fails_with:
            raise self.fails_with
        if SecretId not in self.texts:
            raise service_error("ResourceNotFoundException")
        return {"SecretString": self.texts[SecretId]}


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


def service_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": ""}}, "GetSecretValue")


@pytest.fixture
def manager() -> SecretsManager:
    manager = SecretsManager()
    manager.hold("oms/test/channels/shopify/goods", "newest", "older")
    return manager


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def secrets(manager: SecretsManager, clock: Clock) -> Secrets:
    return Secrets(manager, "test", clock)  # type: ignore[arg-type]


def fits(wanted: str) -> Any:
    return lambda known: wanted in known


def test_signing_secrets_are_those_of_stage_kind_and_names(secrets: Secrets) -> None:
    assert secrets.signing_secrets("channels", "shopify", "goods") == ("newest", "older")


def test_at_most_two_secrets_may_sign(secrets: Secrets, manager: SecretsManager) -> None:
    manager.hold("oms/test/warehouses/WH-1", "a", "b", "c")
    assert secrets.signing_secrets("warehouses", "WH-1") == ("a", "b")


def test_a_plain_text_is_returned_as_it_is(secrets: Secrets, manager: SecretsManager) -> None:
    manager.texts["oms/test/contacts/hash-key"] = "k"
    assert secrets.text("contacts/hash-key") == "k"


def test_a_plain_text_that_is_missing_is_our_fault_and_may_come(secrets: Secrets) -> None:
    with pytest.raises(Unavailable, match="contacts/hash-key"):
        secrets.text("contacts/hash-key")


def test_a_secret_is_fetched_once_in_five_minutes(secrets: Secrets, manager: SecretsManager, clock: Clock) -> None:
    for _ in range(3):
        secrets.signing_secrets("channels", "shopify", "goods")
    clock.seconds += 299
    secrets.signing_secrets("channels", "shopify", "goods")
    assert len(manager.asked) == 1
    clock.seconds += 1
    secrets.signing_secrets("channels", "shopify", "goods")
    assert len(manager.asked) == 2


def test_an_unknown_account_is_asked_for_once_a_minute(secrets: Secrets, manager: SecretsManager, clock: Clock) -> None:
    for _ in range(5):
        with pytest.raises(Unauthorized):
            secrets.signing_secrets("channels", "shopify", "nobody")
    assert len(manager.asked) == 1
    manager.hold("oms/test/channels/shopify/nobody", "now there is one")
    clock.seconds += 60
    assert secrets.signing_secrets("channels", "shopify", "nobody") == ("now there is one",)


def test_strangers_with_new_names_are_told_to_wait_while_known_accounts_go_on(
    secrets: Secrets, manager: SecretsManager, clock: Clock
) -> None:
    secrets.signing_secrets("channels", "shopify", "goods")
    for number in range(MAX_UNKNOWN_PER_MINUTE):
        with pytest.raises(Unauthorized):
            secrets.signing_secrets("channels", "shopify", f"stranger-{number}")
    asked = len(manager.asked)
    for number in range(100):
        with pytest.raises(Throttled):
            secrets.signing_secrets("channels", "shopify", f"another-{number}")
    assert len(manager.asked) == asked
    clock.seconds += 301  # the known account's secret is due as well
    assert secrets.signing_secrets("channels", "shopify", "goods")
    with pytest.raises(Unauthorized):
        secrets.signing_secrets("channels", "shopify", "another-1")


def test_what_is_remembered_of_strangers_is_bounded(secrets: Secrets, manager: SecretsManager, clock: Clock) -> None:
    for number in range(MAX_REMEMBERED + 10):
        clock.seconds += 1
        with pytest.raises(Unauthorized):
            secrets.signing_secrets("channels", "shopify", f"stranger-{number}")
    assert len(secrets._remembered) == MAX_REMEMBERED


def test_a_secret_changed_just_now_is_noticed_by_the_first_signature_that_does_not_fit(
    secrets: Secrets, manager: SecretsManager, clock: Clock
) -> None:
    secrets.verify("channels", "shopify", "goods", check=fits("newest"))
    manager.hold("oms/test/channels/shopify/goods", "changed", "newest")
    clock.seconds += 31
    secrets.verify("channels", "shopify", "goods", check=fits("changed"))
    assert len(manager.asked) == 2


def test_wrong_signatures_cause_one_more_fetch_in_thirty_seconds_at_most(
    secrets: Secrets, manager: SecretsManager, clock: Clock
) -> None:
    secrets.verify("channels", "shopify", "goods", check=fits("newest"))
    clock.seconds += 31
    for _ in range(50):
        with pytest.raises(Unauthorized):
            secrets.verify("channels", "shopify", "goods", check=fits("forged"))
    assert len(manager.asked) == 2


def test_if_that_fetch_fails_the_secret_we_have_stays(secrets: Secrets, manager: SecretsManager, clock: Clock) -> None:
    secrets.verify("channels", "shopify", "goods", check=fits("newest"))
    clock.seconds += 31
    manager.fails_with = service_error("ThrottlingException")
    with pytest.raises(Throttled):
        secrets.verify("channels", "shopify", "goods", check=fits("forged"))
    secrets.verify("channels", "shopify", "goods", check=fits("newest"))
    with pytest.raises(Unauthorized):
        secrets.verify("channels", "shopify", "goods", check=fits("forged"))
    assert len(manager.asked) == 2


def test_an_account_whose_secret_was_deleted_is_no_longer_known(
    secrets: Secrets, manager: SecretsManager, clock: Clock
) -> None:
    secrets.verify("channels", "shopify", "goods", check=fits("newest"))
    manager.fails_with = service_error("InvalidRequestException")  # what a secret marked for deletion answers
    clock.seconds += 300
    with pytest.raises(Unauthorized):
        secrets.verify("channels", "shopify", "goods", check=fits("newest"))


@pytest.mark.parametrize(
    ("failure", "raised"),
    [
        (service_error("ThrottlingException"), Throttled),
        (service_error("InternalServiceError"), Unavailable),
        (service_error("AccessDeniedException"), Unavailable),
        (EndpointConnectionError(endpoint_url="https://example.com"), Unavailable),
    ],
)
def test_when_the_service_does_not_answer_the_sender_may_try_again(
    secrets: Secrets, manager: SecretsManager, failure: Exception, raised: type[Exception]
) -> None:
    manager.fails_with = failure
    with pytest.raises(raised):
        secrets.signing_secrets("channels", "shopify", "goods")
    manager.fails_with = None
    assert secrets.signing_secrets("channels", "shopify", "goods")


@pytest.mark.parametrize(
    "text", ["", "secret", "[]", "{}", '{"signing_secrets": "abc"}', '{"signing_secrets": [""]}', "7"]
)
def test_a_secret_in_another_form_is_our_fault_and_is_not_shown(
    secrets: Secrets, manager: SecretsManager, text: str
) -> None:
    manager.texts["oms/test/channels/shopify/goods"] = text
    with pytest.raises(Unavailable, match="channels/shopify/goods needs the form") as caught:
        secrets.signing_secrets("channels", "shopify", "goods")
    assert caught.value.__cause__ is None


NAME = "oms/test/channels/shopify/goods"


def hold_key(manager: SecretsManager, **credentials: object) -> None:
    manager.texts[NAME] = json.dumps({"signing_secrets": ["s"], "credentials": credentials})


def test_credentials_are_read_once_and_again_after_minutes(
    secrets: Secrets, manager: SecretsManager, clock: Clock
) -> None:
    hold_key(manager, key="k1")
    assert [secrets.credentials("channels", "shopify", "goods")["key"] for _ in range(2)] == ["k1", "k1"]
    assert manager.asked == [NAME]
    hold_key(manager, key="k2")
    clock.seconds += KNOWN_SECONDS
    assert secrets.credentials("channels", "shopify", "goods")["key"] == "k2"


def test_credentials_that_were_just_changed_are_read_anew_when_the_old_ones_are_refused(
    secrets: Secrets, manager: SecretsManager, clock: Clock
) -> None:
    hold_key(manager, key="k1")
    secrets.credentials("channels", "shopify", "goods")
    hold_key(manager, key="k2")
    clock.seconds += REFETCH_AFTER_SECONDS + 1
    assert secrets.credentials("channels", "shopify", "goods", anew=True)["key"] == "k2"


def test_credentials_that_are_refused_again_and_again_are_not_asked_for_each_time(
    secrets: Secrets, manager: SecretsManager
) -> None:
    hold_key(manager, key="k1")
    for _ in range(5):
        secrets.credentials("channels", "shopify", "goods", anew=True)
    assert manager.asked == [NAME]


def test_a_line_end_that_was_pasted_along_is_no_part_of_a_key(secrets: Secrets, manager: SecretsManager) -> None:
    hold_key(manager, key=" k1\n", number=7, nested={"a": 1}, nothing=None)
    assert secrets.credentials("channels", "shopify", "goods") == {"key": "k1", "number": "7"}


@pytest.mark.parametrize("text", ["", "secret", "[]", "{}", '{"credentials": "abc"}', '{"credentials": {}}', "7"])
def test_an_account_without_credentials_waits_for_a_person(
    secrets: Secrets, manager: SecretsManager, text: str
) -> None:
    manager.texts[NAME] = text
    with pytest.raises(CredentialsRefused) as caught:
        secrets.credentials("channels", "shopify", "goods")
    assert caught.value.__cause__ is None
    assert "secret channels/shopify/goods" in str(caught.value)


def test_an_account_nobody_set_up_has_no_credentials(secrets: Secrets) -> None:
    with pytest.raises(CredentialsRefused):
        secrets.credentials("channels", "shopify", "nowhere")
