"""README.md tells operations what the code does: why orders are in review, how often a message is tried, what rings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from oms.domain import explanation

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", *(f"docs/{file.name}" for file in sorted((ROOT / "docs").glob("*.md"))))
README = (ROOT / "README.md").read_text()
TEMPLATE = (ROOT / "template.yaml").read_text()
HOLDS = ("AWAITING_ADDRESS", "AWAITING_PAYMENT")
ALARMS = re.findall(r"AlarmName: !Sub oms-\$\{Stage\}-([a-z-]+)\n", TEMPLATE)
OF_EVERY_FUNCTION_OR_QUEUE = ("-errors", "-iterator-age", "-oldest-message", "-dead-letters", "-quarantined")


@pytest.mark.parametrize("reason", sorted(explanation._REASONS.keys() - set(HOLDS)))
def test_every_reason_why_a_person_must_decide_stands_in_the_readme(reason: str) -> None:
    (row,) = (line for line in README.splitlines() if line.startswith("| an order in REVIEW |"))
    assert reason in row


def test_the_readme_says_how_often_a_message_is_tried() -> None:
    tries = {
        name.lower(): count for name, count in re.findall(r"(\w+)DeadLetterQueue.Arn, maxReceiveCount: (\d+)", TEMPLATE)
    }
    poll, channels = tries.pop("poll"), tries.pop("channels")
    (usual,) = set(tries.values())
    (row,) = (line for line in README.splitlines() if line.startswith("| a dead-letter alarm |"))
    for said in (f"failed {usual} times", f"{poll} on the poll queue", f"{int(channels):,} on the channels queue"):
        assert said in row


@pytest.mark.parametrize("alarm", [one for one in ALARMS if not one.endswith(OF_EVERY_FUNCTION_OR_QUEUE)])
def test_the_readme_says_what_to_do_when_an_alarm_rings(alarm: str) -> None:
    common = re.sub(r".*(-credentials-not-kept)", r"…\1", alarm)
    assert f"`{common}`" in README


def links() -> list[tuple[str, str]]:
    """(page, target) of every link from one of our pages to another, or within one."""
    found = [(page, target) for page in PAGES for target in re.findall(r"\]\(([^)\s]+)\)", (ROOT / page).read_text())]
    return sorted({(page, target) for page, target in found if not target.startswith("http")})


@pytest.mark.parametrize(("page", "target"), links())
def test_every_link_between_our_pages_leads_somewhere(page: str, target: str) -> None:
    name, _, anchor = target.partition("#")
    aim = (ROOT / page).parent / name if name else ROOT / page
    assert aim.exists()
    if anchor:
        headings = re.findall(r"^#+ (.+)$", aim.read_text(), flags=re.MULTILINE)
        assert anchor in {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}
