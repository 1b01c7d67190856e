"""What the tests of the engine share."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.app.engine.talks import PROGRAM, Endless, Talk


@pytest.fixture
def talk() -> Iterator[Callable[..., Talk]]:
    talks: list[Talk] = []

    def start(network: Any = None, **options: Any) -> Talk:
        talks.append(Talk(network or Endless(PROGRAM), **options))
        return talks[-1]

    yield start
    for one in talks:
        assert one.chat.close()
        assert not one.failures
