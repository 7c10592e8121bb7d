"""The fixtures of natsort's tests for an image that has no locales: the tests that need one are skipped."""

import pytest


@pytest.fixture
def with_locale_en_us() -> None:
    pytest.skip("requires the en_US locale")


@pytest.fixture
def with_locale_de_de() -> None:
    pytest.skip("requires the de_DE locale")


@pytest.fixture
def with_locale_cs_cz() -> None:
    pytest.skip("requires the cs_CZ locale")
