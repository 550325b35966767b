"""`Idempotency-Key`: one answer per key, whoever repeats it. It de-duplicates answers; effects guard themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyInconsistentStateError,
    IdempotencyPersistenceLayerError,
    IdempotencyValidationError,
)

from oms.domain.errors import KeyReused, RequestInProgress, Unavailable
from oms.domain.requests import ApiRequest

KEPT_SECONDS = 24 * 3600
Ids = dict[str, str]


class Idempotency:
    """Answers of one kind of request, kept for a day. Only ids are stored, and hashes of what was asked."""

    def __init__(self, client: Any, table_name: str, kind: str) -> None:
        self._kind = kind
        self._store = DynamoDBPersistenceLayer(table_name=table_name, boto3_client=client)
        self._config = IdempotencyConfig(
            event_key_jmespath="key",
            payload_validation_jmespath="content_hash",
            expires_after_seconds=KEPT_SECONDS,
            raise_on_no_idempotency_key=True,
            hash_function="sha256",
        )

    def once(self, request: ApiRequest, lambda_context: Any, work: Callable[[], Ids]) -> Ids:
        """What `work` returned for this request: now, or when it was first made within a day.

        Raises KeyReused, RequestInProgress, Unavailable, and what `work` raises; then nothing is kept.
        """
        done: list[Ids] = []

        def answer(*, data: dict[str, Any]) -> Ids:
            done.append(work())
            return done[0]

        # The time left says when a request whose worker died may be taken up again.
        self._config.register_lambda_context(lambda_context)
        kept = idempotent_function(
            answer,
            data_keyword_argument="data",
            persistence_store=self._store,
            config=self._config,
            key_prefix=self._kind,
        )
        try:
            ids: Ids = kept(data={"key": [request.client_id, request.key], "content_hash": request.content_hash})
        except IdempotencyValidationError as error:
            raise KeyReused from error
        except IdempotencyAlreadyInProgressError as error:
            raise RequestInProgress("this very request is being worked on") from error
        except (IdempotencyPersistenceLayerError, IdempotencyInconsistentStateError) as error:
            if done:  # it is done, only the note of it is missing: a repeat finds out by the order itself
                return done[0]
            raise Unavailable("the request can't be noted now") from error
        return ids
