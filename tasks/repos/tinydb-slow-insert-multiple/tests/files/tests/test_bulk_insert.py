"""Inserting many documents at once: how long it takes and which IDs come out."""

import gc
import time

import pytest

from tinydb import TinyDB
from tinydb.storages import JSONStorage, MemoryStorage
from tinydb.table import Document

SMALL, LARGE = 400, 1600
# Linear time gives a ratio of about 4, quadratic time one of about 16.
BOUND = 8


def seconds(prepare, count):
    """The least processor time of several runs: three of slow ones, more of fast ones."""
    times = []
    gc.collect()
    gc.disable()
    try:
        while len(times) < 3 or (sum(times) < 0.1 and len(times) < 15):
            run = prepare(count)
            start = time.process_time()
            run()
            times.append(time.process_time() - start)
    finally:
        gc.enable()
    return min(times)


def growth(prepare):
    return seconds(prepare, LARGE) / seconds(prepare, SMALL)


def test_empty_table():
    def prepare(count):
        table = TinyDB(storage=MemoryStorage).table("readings")
        documents = [{"n": n} for n in range(count)]
        return lambda: table.insert_multiple(documents)

    assert growth(prepare) < BOUND


def test_table_that_holds_documents():
    def prepare(count):
        table = TinyDB(storage=MemoryStorage).table("readings")
        table.insert_multiple(Document({"n": n}, doc_id=n + 1) for n in range(count))
        return lambda: table.insert_multiple({"n": n} for n in range(count))

    assert growth(prepare) < BOUND


def test_ids_count_on(tmp_path):
    path = tmp_path / "db.json"
    with TinyDB(path, storage=JSONStorage) as db:
        assert db.insert_multiple([{}, {}, {}]) == [1, 2, 3]
        assert db.insert({}) == 4
        assert db.insert_multiple([{}, {}]) == [5, 6]
    with TinyDB(path, storage=JSONStorage) as db:
        assert db.insert_multiple([{}, {}]) == [7, 8]
        assert [document.doc_id for document in db] == list(range(1, 9))


def test_ids_of_removed_documents_stay_unused():
    table = TinyDB(storage=MemoryStorage).table("t")
    table.insert_multiple([{}, {}, {}])
    table.remove(doc_ids=[2, 3])
    assert table.insert_multiple([{}, {}]) == [4, 5]
    table.remove(doc_ids=[5])
    assert table.insert({}) == 6
    table.truncate()
    assert table.insert_multiple([{}, {}]) == [1, 2]


def test_own_ids():
    table = TinyDB(storage=MemoryStorage).table("t")
    assert table.insert_multiple([Document({}, doc_id=10), Document({}, doc_id=7)]) == [10, 7]
    assert table.insert_multiple([{}, {}]) == [11, 12]
    table.insert(Document({}, doc_id=40))
    assert table.insert_multiple([{}, {}]) == [41, 42]
    with pytest.raises(ValueError, match="already exists"):
        table.insert_multiple([Document({}, doc_id=41)])
