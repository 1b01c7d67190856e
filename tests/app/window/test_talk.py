"""The window's conversation is the engine's, however long it is and wherever it goes."""

from app.engine.telling import Told
from app.protocol import MAX_TURNS
from app.window.fields import Fields
from app.window.talk import Talk
from models.memory import MODEL, USER, Memory


def test_a_long_conversation_of_short_turns_that_goes_far_back_still_has_what_came_before() -> None:
    memory, told, talk = Memory(bytes(8)), Told(), Talk()
    ends = []
    for number in range(2 * MAX_TURNS):
        for first in (True, False):
            ends.append(memory.add(3 + number % 7, (USER, MODEL)[number % 2], first, bytes(8)))
        talk.chat(Fields(told.path(memory)))
    assert len(talk.turns) == len(told.turns) == MAX_TURNS
    for place in (len(ends) - 1, MAX_TURNS // 2, 3, MAX_TURNS + 1, len(ends) - 1):
        memory.rewind(ends[place])
        talk.chat(Fields(told.path(memory)))
        whole = [turn.nodes[-1].id for turn in memory.turns()]
        assert [turn.node for turn in talk.turns] == [said["node"] for said in told.turns] == whole[-MAX_TURNS:]
