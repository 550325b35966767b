from functools import partial
from random import Random
import pytest
from tests.integration import test_publishing_interleaved as t
from tests.integration.test_publishing_interleaved import shelves, Street
from tests.integration.test_publishing import begin_anew, row, listing
from tests.integration.interleaving import watch_calls
t.MAX_DEATHS=8
def test_it(shelves):
    for seed in range(70):
        t.DEATHS = (0.02, 0.1, 0.3)[seed % 3]
        begin_anew(shelves)
        street = Street(shelves, Random(seed+1000))
        unwatch = watch_calls()
        try:
            for left in (12, 9, 4):
                street.begin(partial(street.sell, left))
            street.run()
        finally: unwatch()
        info=(seed,shelves.rows("listings"),row(shelves), street.channel, street.deaths)
        assert street.channel.believes == shelves.position("MUG", "WH-EAST").available, info
        assert listing(shelves)["last_published_quantity"] == street.channel.believes, info
        assert row(shelves)["status"] in ("SENT", "UNCHANGED"), info
