import gc
import random
from time import process_time

from boltons.setutils import IndexedSet

SMALL = 1_500


def assert_scales(work):
    """Four times the items may take less than eight times as long: linear is 4, quadratic 16."""
    best = {SMALL: float("inf"), 4 * SMALL: float("inf")}
    for _ in range(4):
        for size in best:
            items = IndexedSet(range(size))
            gc.collect()
            start = process_time()
            work(items)
            best[size] = min(best[size], process_time() - start)
        if best[4 * SMALL] < 8 * best[SMALL]:
            return
    raise AssertionError(f"{4 * SMALL} items took {best[4 * SMALL] / best[SMALL]:.1f} times as long as {SMALL}")


def test_pop_from_the_front():
    def work(items):
        while items:
            items.pop(0)

    assert_scales(work)


def test_remove_in_order():
    def work(items):
        for item in range(len(items)):
            items.remove(item)

    assert_scales(work)


def test_symmetric_difference_update():
    def work(items):
        items.symmetric_difference_update(range(len(items) - 5))

    assert_scales(work)


def test_no_slot_is_held_for_removed_items():
    items = IndexedSet(range(5_000))
    for _ in range(4_990):
        items.pop(0)
    assert list(items) == list(range(4_990, 5_000))
    assert len(getattr(items, "item_list", ())) < 500


def test_order_indexing_and_slices_between_removals():
    rng = random.Random(7)
    items, model = IndexedSet(range(600)), list(range(600))
    for step in range(560):
        index = rng.choice([0, len(model) - 1, rng.randrange(len(model))])
        assert items.pop(index) == model.pop(index)
        if step % 7 == 0:
            items.add(1_000 + step)
            model.append(1_000 + step)
        index = rng.randrange(len(model))
        assert items[index] == model[index]
        assert items.index(model[index]) == index
        assert list(items[index : index + 3]) == model[index : index + 3]
    assert list(items) == model
