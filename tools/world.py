"""What the demonstration works with: the shop, the tables, the queues, the orders it follows."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.console import Group

from tools import orders_view, web
from tools.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tools.console import Screen
    from tools.orders_view import Document
    from tools.shop import Identity, Message, Shop

MAX_RECEIVES = 500
RECEIVE = 10


class RefusedError(Exception):
    """The system refused what it must accept; the message holds its answer."""


@dataclass
class Story:
    """One order of the demonstration: what it shows, what people call it, and how it must end."""

    shows: str
    number: str
    order_id: str
    ends: Callable[[Document], bool]
    buyer: Mapping[str, Any]
    document: Document | None = None

    @property
    def has_ended(self) -> bool:
        return self.document is not None and self.ends(self.document)


@dataclass
class ShopStory(Story):
    """An order of the Shopify shop: more messages about it can be sent."""

    identity: Identity = field(kw_only=True)


class EventCopies:
    """The copy of every event of the bus, read from its queue: which sequences of which order arrived."""

    def __init__(self, sqs: Any, url: str) -> None:
        self._sqs = sqs
        self._url = url
        self._sequences: dict[str, set[int]] = {}

    def forget(self) -> None:
        """Empties the queue: what is in it belongs to earlier runs."""
        self._sqs.purge_queue(QueueUrl=self._url)

    def collect(self) -> None:
        """Takes what has arrived, at most MAX_RECEIVES batches."""
        for _ in range(MAX_RECEIVES):
            messages = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=RECEIVE).get("Messages", [])
            if not messages:
                return
            for message in messages:
                detail = json.loads(message["Body"])["detail"]
                self._sequences.setdefault(detail["order_id"], set()).add(int(detail["sequence"]))
            entries = [
                {"Id": str(place), "ReceiptHandle": message["ReceiptHandle"]} for place, message in enumerate(messages)
            ]
            self._sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)

    def has_all(self, document: Document) -> bool:
        """Whether every event of the document arrived: sequences 1 to the last, no gap, none too many."""
        last = int(document["events"][-1]["sequence"])
        return self._sequences.get(document["order_id"], set()) == set(range(1, last + 1))


@dataclass
class World:
    """Everything the demonstration touches. `stack` is the content of .local/stack.json."""

    stack: dict[str, Any]
    shop: Shop
    tables: Any
    states: Any
    sqs: Any
    functions: Any
    screen: Screen
    stories: list[Story] = field(default_factory=list)
    sent: dict[str, Message] = field(default_factory=dict)
    _seen: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    def tell(self, shows: str, case: str, ends: Callable[[Document], bool]) -> ShopStory:
        """A new order from a sample, sent once. Raises RefusedError unless the webhook is answered 200."""
        identity = self.shop.new_identity()
        order_id = self.shop.order_id(identity)
        story = ShopStory(shows, f"#{identity.number}", order_id, ends, identity.buyer, identity=identity)
        message = self.shop.message(case, identity)
        self.sent[story.order_id] = message
        self.stories.append(story)
        self.send(message)
        return story

    def follow(self, story: Story) -> Story:
        """An order that came by another way: it is looked at with the others from now on."""
        self.stories.append(story)
        return story

    def send(self, message: Message) -> None:
        """One webhook that must be accepted. Raises RefusedError otherwise."""
        answer = self.shop.send(message)
        if answer.status != 200:
            raise RefusedError(f"a webhook was answered {answer.status}: {answer.body.decode(errors='replace')}")

    def look(self) -> None:
        """Reads every order again and shows what changed."""
        documents = orders_view.read_orders(
            self.tables, self.stack["tables"]["orders"], [story.order_id for story in self.stories]
        )
        for story in self.stories:
            story.document = documents.get(story.order_id)
            self._say_change(story)
        self.screen.show(Group(self.overview("The orders now")))

    def overview(self, title: str) -> Any:
        """The table of all orders."""
        return orders_view.table_of(((story.number, story.shows, story.document) for story in self.stories), title)

    def wait_for(self, stories: Iterable[Story], seconds: float) -> bool:
        """Until all of them have ended as they should, or `seconds` have passed."""
        followed = list(stories)
        return self.wait(lambda: all(story.has_ended for story in followed), seconds)

    def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Until `condition()` holds on freshly read orders, or `seconds` have passed."""

        def looked() -> bool:
            self.look()
            return condition()

        return wait_until(looked, seconds)

    def queue_is_idle(self, name: str) -> bool:
        """Whether nothing waits in the queue or is being worked on."""
        counts = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        answer = self.sqs.get_queue_attributes(QueueUrl=self.stack["queues"][name], AttributeNames=list(counts))
        return all(int(answer["Attributes"][count]) == 0 for count in counts)

    def _say_change(self, story: Story) -> None:
        if story.document is None or self.screen.is_live:
            return
        state = (story.document["status"], story.document.get("waiting_for"))
        if self._seen.get(story.order_id) != state:
            self._seen[story.order_id] = state
            status, waiting_for = state
            self.screen.say(f"{story.number} {status}" + (f", waiting for {waiting_for}" if waiting_for else ""))


class Api:
    """The HTTP API as a client with a token of its own uses it."""

    def __init__(self, stack: dict[str, Any], client: str) -> None:
        self._base_url = stack["base_url"]
        self._token = token(stack, client)

    def get(self, path: str) -> web.Answer:
        """GET with the bearer token."""
        return web.send("GET", self._base_url + path, {"authorization": f"Bearer {self._token}"})


def token(stack: dict[str, Any], client: str) -> str:
    """A client-credentials token from the token endpoint. Raises RefusedError when it is refused."""
    credentials = stack["clients"][client]
    pair = f"{credentials['client_id']}:{credentials['client_secret']}".encode()
    headers = {
        "authorization": f"Basic {base64.b64encode(pair).decode()}",
        "content-type": "application/x-www-form-urlencoded",
    }
    answer = web.send("POST", stack["token_url"], headers, b"grant_type=client_credentials")
    if not answer.is_success:
        raise RefusedError(f"no token for client {client}: {answer.status} {answer.body.decode(errors='replace')}")
    return str(answer.json()["access_token"])
