import pytest
from tests.integration import test_parallel_workers as t
from tests.integration.test_parallel_workers import server, engine
from collections import Counter
@pytest.mark.parametrize("chance", range(100,108))
def test_p_eight(engine, chance):
    t.test_eight_workers_who_allocate_cancel_ship_and_receive_at_once_leave_books_that_balance(engine, chance)
    print("KINDS", Counter(k for row in engine.of_sku("stock_movements", f"BUSY-{chance}") for k in row["kinds"]), len(engine.of_sku("backorders", f"BUSY-{chance}")))
@pytest.mark.parametrize("chance", range(200,215))
def test_p_old(engine, chance):
    t.test_units_that_come_for_a_queue_go_to_the_oldest_however_many_workers_ask_at_once(engine, chance)
