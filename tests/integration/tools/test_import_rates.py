"""The operator's command that puts prices and zones into `settings`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from oms.domain.errors import InvariantBroken
from oms.domain.order import Capability, ShipTo
from oms.domain.rates import compile_tariff
from oms.domain.zones import ZoneTable
from oms.runtime import clients
from oms.stores.reference_data import SettingsStore
from oms.stores.table import Table
from tests.integration.faults import CrashedError, Faults
from tests.integration.stage import PREFIX, Stage
from tests.integration.tools import us_zones
from tests.unit.builders import location
from tools import import_rates, rate_csv, seed
from tools import stage as stages

EXAMPLE = seed.SEED_DATA / "rates"
RATES = ("--kind", "rates", "--name", "ups")
FIRST = (*RATES, "--version", "1", "--card", str(EXAMPLE / "card.json"))
ZONES = ("--kind", "zones", "--name", "us-example")
NEW_YORK = ShipTo(country="US", region="NY", postal_prefix="100")

Run = Callable[..., dict[str, Any]]
needs_postal_codes = pytest.mark.skipif(
    not us_zones.POSTAL_CODES.is_file(), reason="the list of postal codes is not beside this project"
)


@pytest.fixture
def run(stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command against the test stage; returns its exit code and what it says it did."""
    monkeypatch.setattr(stages.Stage, "client", lambda _, service: clients.client(service))
    monkeypatch.setattr(stages, "STAGES", ("test",))
    monkeypatch.setattr(stages, "DEFAULT_STAGE", "test")

    def run(*arguments: str) -> dict[str, Any]:
        code = import_rates.main([*arguments, "--json"])
        return {"exit": code, **json.loads(capsys.readouterr().out.splitlines()[-1])}

    return run


@pytest.fixture
def file(tmp_path: Path) -> Callable[[Iterable[str]], str]:
    """A CSV file of these lines; returns its path."""

    def file(lines: Iterable[str]) -> str:
        path = tmp_path / "rates.csv"
        path.write_text("\n".join(lines), encoding="utf-8")
        return str(path)

    return file


def stored(stage: Stage, kind: str) -> list[dict[str, Any]]:
    return [row for row in stage.rows("settings") if row["kind"] == kind]


def settings(stage: Stage) -> SettingsStore:
    return SettingsStore(clients.client("dynamodb"), PREFIX)


@pytest.fixture(autouse=True)
def empty(stage: Stage) -> None:
    """No rate card but those a test imports."""
    table = Table(clients.client("dynamodb"), f"{PREFIX}settings")
    for row in stage.rows("settings"):
        if row["kind"] == "rate_card":
            table.delete({"kind": row["kind"], "name": row["name"]})


def problems(answer: dict[str, Any]) -> list[tuple[int, str, str]]:
    return [(one["line"], one["column"], one["reason"]) for one in answer["problems"]]


def test_the_example_prices_a_parcel_from_its_first_import_on(stage: Stage, run: Run) -> None:
    assert run(*ZONES, str(EXAMPLE / "zones.csv"))["written"] == 3
    assert run(*FIRST, str(EXAMPLE / "ground.csv"))["written"] == 1
    (card,) = settings(stage).rate_cards()
    table = settings(stage).zone_tables()[card.zone_table]
    zone = card.zone(location("WH-RENO", "NV", postal_code="89506"), NEW_YORK, table)
    assert zone == 8
    ground, express = card.services
    priced = compile_tariff(ground, zone, NEW_YORK, card)
    assert priced.price_minor(900, 0, frozenset()) == 960 + 60
    assert priced.price_minor(900, 0, frozenset({Capability.HAZMAT})) == 960 + 60 + 3200
    assert (ground.days_in(zone), express.days_in(zone), express.service_levels) == (5, 2, ("STANDARD", "EXPRESS"))


def test_the_same_file_again_changes_nothing_and_is_no_error(stage: Stage, run: Run) -> None:
    for command in ((*ZONES, str(EXAMPLE / "zones.csv")), (*FIRST, str(EXAMPLE / "ground.csv"))):
        assert run(*command)["exit"] == 0
        rows = stage.rows("settings")
        answer = run(*command)
        assert (answer["exit"], answer["written"], answer["unchanged"]) == (0, 0, answer["items"])
        assert stage.rows("settings") == rows


def test_a_dry_run_says_what_would_be_written_and_writes_nothing(stage: Stage, run: Run) -> None:
    answer = run(*ZONES, "--dry-run", str(EXAMPLE / "zones.csv"))
    assert (answer["exit"], answer["written"]) == (0, 3)
    assert stored(stage, "zone_table") == []


def test_a_version_is_never_changed(stage: Stage, run: Run, file: Callable[[Iterable[str]], str]) -> None:
    lines = (EXAMPLE / "ground.csv").read_text().splitlines()
    run(*FIRST, str(EXAMPLE / "ground.csv"))
    rows = stored(stage, "rate_card")
    dearer = file(line.replace("GROUND", "ground").replace("760", "761") for line in lines)
    answer = run(*FIRST, dearer)
    assert (answer["exit"], answer["written"]) == (1, 0)
    assert problems(answer) == [(1, "", "ups#1 is stored with other content: give these prices a new --version")]
    assert stored(stage, "rate_card") == rows


def test_a_zone_table_with_one_row_stored_otherwise_gains_no_other_row(
    stage: Stage, run: Run, file: Callable[[Iterable[str]], str]
) -> None:
    header, *lines = (EXAMPLE / "zones.csv").read_text().splitlines()
    run(*ZONES, file([header, "US,181,180,181,2"]))
    answer = run(*ZONES, file([header, *lines]))
    assert (answer["exit"], answer["written"], len(stored(stage, "zone_table"))) == (1, 0, 1)
    assert "us-example#181 is stored with other content" in problems(answer)[0][2]


def test_what_somebody_else_wrote_in_the_meantime_is_not_overwritten(stage: Stage, run: Run, faults: Faults) -> None:
    theirs = {"kind": "rate_card", "name": "ups#1", "carrier": "theirs"}
    faults.meanwhile("PutItem", lambda: stage.put("settings", theirs))
    answer = run(*FIRST, str(EXAMPLE / "ground.csv"))
    assert (answer["exit"], answer["written"], stored(stage, "rate_card")) == (1, 0, [theirs])


def test_an_import_that_was_killed_half_way_is_ended_by_the_next(stage: Stage, run: Run, faults: Faults) -> None:
    faults.crash_after("PutItem", nth=2)
    with pytest.raises(CrashedError):
        run(*ZONES, str(EXAMPLE / "zones.csv"))
    answer = run(*ZONES, str(EXAMPLE / "zones.csv"))
    assert (answer["exit"], answer["unchanged"], answer["written"]) == (0, 2, 1)


def test_new_prices_take_everything_else_from_the_version_before(
    stage: Stage, run: Run, file: Callable[[Iterable[str]], str]
) -> None:
    run(*FIRST, "--from", "2026-01-01", "--to", "2027-01-01", str(EXAMPLE / "ground.csv"))
    dearer = file(line.replace("760", "790") for line in (EXAMPLE / "ground.csv").read_text().splitlines())
    second = (*RATES, "--version", "2", "--from", "2027-01-01", dearer)
    assert run(*second)["written"] == 1
    assert run(*second)["unchanged"] == 1
    old, new = settings(stage).rate_cards()
    assert (old.effective_from, old.effective_to) == ("2026-01-01", "2027-01-01")
    assert (new.version, new.effective_from, new.effective_to) == (2, "2027-01-01", "")
    assert new.services[0].surcharges == old.services[0].surcharges
    assert (old.zone_table, old.holidays, old.carrier) == (new.zone_table, new.holidays, new.carrier)
    assert [card.services[0].bands[0].prices_minor[-1] for card in (old, new)] == [760, 790]


def test_prices_without_a_card_and_without_a_version_before_are_refused(run: Run, capsys: Any) -> None:
    assert import_rates.main([*RATES, "--version", "1", str(EXAMPLE / "ground.csv")]) == 2
    assert "There is no version of ups below 1" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_refused(run: Run, capsys: Any) -> None:
    assert import_rates.main([*ZONES, "nowhere.csv"]) == 2
    assert "nowhere.csv" in capsys.readouterr().err


def test_of_a_large_table_only_the_origins_that_are_asked_for_are_kept(stage: Stage, run: Run) -> None:
    assert run(*ZONES, "--origins", "181,432", str(EXAMPLE / "zones.csv"))["written"] == 2
    assert [row["name"] for row in stored(stage, "zone_table")] == ["us-example#181", "us-example#432"]


@pytest.mark.parametrize("file_name", ["ground.csv", "zones.csv"])
def test_a_file_with_other_columns_is_refused_as_a_whole(run: Run, file_name: str) -> None:
    command = ZONES if file_name == "ground.csv" else FIRST
    ((line, _, reason),) = problems(run(*command, str(EXAMPLE / file_name)))
    assert (line, reason[:16]) == (1, "the columns must")


def test_a_kind_holds_nothing_that_is_not_named_as_it_should_be(stage: Stage) -> None:
    stage.put("settings", {"kind": "rate_card", "name": "standard", "carrier": "ups"})
    with pytest.raises(InvariantBroken, match="'standard' is not named <name>#<version>"):
        settings(stage).rate_cards()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"kind": "rate_card", "name": "ups#7", "carrier": "ups"}, r"rate_card 'ups#7' can't be read: .*`currency`"),
        ({"kind": "zone_table", "name": "us#100", "table": "us"}, r"zone_table 'us#100' can't be read: .*`country`"),
        ({"kind": "routing_policy", "name": "active", "version": "x"}, r"routing_policy 'active' can't be read: .*int"),
    ],
)
def test_a_row_that_can_not_be_read_is_named(stage: Stage, row: dict[str, str], reason: str) -> None:
    stage.put("settings", row)
    read = {
        "rate_card": settings(stage).rate_cards,
        "zone_table": settings(stage).zone_tables,
        "routing_policy": settings(stage).routing_policy,
    }
    with pytest.raises(InvariantBroken, match=reason):
        read[row["kind"]]()


def test_a_card_whose_service_has_no_name_is_refused(run: Run, tmp_path: Path, capsys: Any) -> None:
    card = tmp_path / "card.json"
    card.write_text(json.dumps({"carrier": "ups", "currency": "USD", "services": [{"transit_days": [1]}]}))
    arguments = [*RATES, "--version", "1", "--card", str(card), str(EXAMPLE / "ground.csv")]
    assert import_rates.main(arguments) == import_rates.COULD_NOT_START
    assert "its name as `service`" in capsys.readouterr().err


def test_a_version_that_is_no_number_does_not_keep_the_next_from_being_imported(stage: Stage, run: Run) -> None:
    assert run(*FIRST, str(EXAMPLE / "ground.csv"))["exit"] == 0
    stage.put("settings", {"kind": "rate_card", "name": "ups#draft", "carrier": "ups"})
    assert run(*RATES, "--version", "2", "--from", "2027-01-01", str(EXAMPLE / "ground.csv"))["written"] == 1


def test_cards_and_tables_are_read_once_a_minute_and_there_from_the_moment_they_are_written(
    stage: Stage, run: Run
) -> None:
    store = settings(stage)
    assert (store.rate_cards(), store.zone_tables()) == ((), {})
    run(*ZONES, str(EXAMPLE / "zones.csv"))
    run(*FIRST, str(EXAMPLE / "ground.csv"))
    assert (len(store.rate_cards()), list(store.zone_tables())) == (1, ["us-example"])
    assert store.rate_cards() is store.rate_cards()
    assert store.zone_tables() is store.zone_tables()


HEAD = {"name": "ups", "currency": "USD", "carrier": "ups", "services": [{"service": "GROUND"}, {"service": "AIR"}]}
HEADER = "service,record,up_to_grams,zone_1,zone_2"
GOOD = ("GROUND,PRICE,500,5,6", "AIR,PRICE,500,9,9")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param((), (1, "", "the file has no rows"), id="an empty file"),
        pytest.param(("GROUND,PRICE,900,5",), (4, "", "4 cells, not 5 as in the header"), id="a cell is missing"),
        pytest.param(
            ("SEA,PRICE,1,5,6",),
            (4, "service", "'SEA' is no service of the card, which has GROUND, AIR"),
            id="an unknown service",
        ),
        pytest.param(
            ("AIR,PRISE,1,5,6",),
            (4, "record", "'PRISE' is none of PRICE, EXTRA_KG, TRANSIT_DAYS"),
            id="an unknown record",
        ),
        pytest.param(
            ("AIR,PRICE,,9,9",), (4, "up_to_grams", "'' is not a whole number from 1 to 1000000"), id="no weight"
        ),
        pytest.param(("AIR,EXTRA_KG,5,9,9",), (4, "up_to_grams", "must be empty on a line of EXTRA_KG"), id="a weight"),
        pytest.param(
            ("AIR,PRICE,900,9.5,9",), (4, "zone_1", "'9.5' is not a whole number from 0 to 1000000000"), id="cents"
        ),
        pytest.param(
            ("AIR,PRICE,900,9,",), (4, "zone_2", "'' is not a whole number from 0 to 1000000000"), id="no price"
        ),
        pytest.param(("AIR,PRICE,500,9,9",), (4, "record", "the same as on line 3"), id="twice"),
        pytest.param(
            ("AIR,PRICE,900,9,8",), (4, "zone_2", "8 is less than the 9 of a parcel of 500 grams"), id="a falling price"
        ),
        pytest.param(('AIR,PRICE,"900',), (4, "", "unexpected end of data"), id="a quotation mark that never ends"),
    ],
)
def test_a_bad_price_is_named_by_line_column_and_reason(lines: tuple[str, ...], expected: tuple[int, str, str]) -> None:
    file = [f"{line}\n" for line in (HEADER, *GOOD, *lines)] if lines else []
    card, found = rate_csv.read_rates(file, HEAD)
    assert card is None
    assert [(one.line, one.column, one.reason) for one in found] == [expected]


def test_every_bad_row_is_named_not_only_the_first(stage: Stage, run: Run, file: Any) -> None:
    bad = ("ground,PRICE,0,x,6", "ground,PRICE,500,5,6", "sea,PRICE,1,5,6", "ground,PRICE,900,4,-6")
    answer = run(*FIRST, file([HEADER, *bad]))
    assert (answer["exit"], answer["written"], stored(stage, "rate_card")) == (1, 0, [])
    assert [(line, column) for line, column, _ in problems(answer)] == [
        (2, "up_to_grams"),
        (2, "zone_1"),
        (4, "service"),
        (5, "zone_2"),
    ]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"currency": "dollars"}, "currency", id="a currency that is none"),
        pytest.param({"currencies": "USD"}, "currencies is no field of a rate card", id="a slip of the pen"),
        pytest.param(
            {"services": [*HEAD["services"], {"service": "SEA"}]}, "SEA is a service of the card", id="no price"
        ),
        pytest.param(
            {"services": [{"service": "GROUND", "level": "X"}, {"service": "AIR"}]},
            "level is no",
            id="an unknown field of a service",
        ),
    ],
)
def test_a_bad_card_is_a_problem_of_the_file_as_a_whole(changes: dict[str, Any], reason: str) -> None:
    card, found = rate_csv.read_rates([f"{line}\n" for line in (HEADER, *GOOD)], HEAD | changes)
    assert (card, found[0].line) == (None, 1)
    assert reason in found[0].reason


ZONE_HEADER = ",".join(rate_csv.ZONE_COLUMNS)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param((), (1, "", "the file has no rows"), id="no rows"),
        pytest.param(("US,100,100,102,0",), (2, "zone", "'0' is not a whole number from 1 to 100"), id="zone 0"),
        pytest.param((",100,100,102,1",), (2, "country", "country must be given"), id="no country"),
        pytest.param(("US,,100,102,1",), (2, "origin", "origin must be given"), id="no origin"),
        pytest.param(
            ("US,100,102,100,1",),
            (2, "first", "ranges '102-100' must go from an area to a later one of the same length"),
            id="a range that ends before it begins",
        ),
        pytest.param(
            ("US,100,101,105,1", "US,100,900,,8", "US,100,100,101,2"),
            (4, "first", "overlaps the range on line 2"),
            id="an area in two ranges",
        ),
        pytest.param(
            ("US,100,101,,1", "CA,K1A,K1A,,1"),
            (3, "country", "CA is another country than the US above: a table has one"),
            id="two countries",
        ),
    ],
)
def test_a_bad_zone_is_named_by_line_column_and_reason(lines: tuple[str, ...], expected: tuple[int, str, str]) -> None:
    rows, found = rate_csv.read_zones([f"{line}\n" for line in (ZONE_HEADER, *lines)], "us")
    assert rows == []
    assert [(one.line, one.column, one.reason) for one in found] == [expected]


MAX_ITEM_BYTES = 400_000


@needs_postal_codes
def test_the_zones_of_the_us_by_distance_are_imported_and_found(
    stage: Stage, run: Run, file: Callable[[Iterable[str]], str]
) -> None:
    areas = us_zones.middles()
    origins = ("100", "606", "750", "895", "945", "967", "995")
    path = file(line.rstrip() for line in us_zones.zone_csv(areas, origins))
    assert run("--kind", "zones", "--name", "us", path)["written"] == len(origins)
    assert max(len(json.dumps(row)) for row in stored(stage, "zone_table")) < MAX_ITEM_BYTES // 20
    table = settings(stage).zone_tables()["us"]
    known = {"10001": 1, "07030": 2, "02108": 3, "45202": 4, "60601": 5, "33101": 6, "75201": 6, "94501": 8, "96801": 8}
    assert {code: table.zone("US", "10001", code) for code in known} == known
    assert table.zone("US", "89506", "94501") == 3


@needs_postal_codes
def test_a_parcel_travels_as_far_there_as_back() -> None:
    areas = us_zones.middles()
    assert len(areas) > 900
    origins = list(areas)[::25]
    rows, found = rate_csv.read_zones(us_zones.zone_csv(areas, origins), "us")
    assert found == []
    table = ZoneTable(tuple(rows))
    for one in origins:
        for other in origins:
            assert table.zone("US", one, other) == table.zone("US", other, one) == us_zones.zone(areas, one, other)
