"""Promises of memory as an object: going back leaves no trace, on every backend, and what is kept is bounded."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.chip import failover, firmware, integer, placement
from models.chip.program import Program
from models.chip.runtime import emulated
from models.conversation import Conversation
from models.inference import Network, Text, state_bytes
from models.memory import MODEL, USER, Answer, Memory, Node
from models.sampling import Sampling
from models.tokenizer import Tokenizer
from tests.models.chip import programs as make
from tests.models.letters import BOT, SIZE, Letters

PROGRAM: Program = make.program(5, "language", [20, 12], outputs=SIZE)
HOW = Sampling(temperature=1.5, top_k=0, seed=3)

actions = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.text("abc xyz", max_size=6), st.integers(0, 8)),
        st.tuples(st.just("rewind"), st.integers(0, 200), st.integers(0, 8)),
        st.tuples(st.just("regenerate"), st.integers(0, 200), st.integers(0, 8)),
        st.tuples(st.just("edit"), st.text("abc xyz", max_size=6), st.integers(0, 8)),
        st.tuples(st.just("continue"), st.just(0), st.integers(0, 8)),
        st.tuples(st.just("switch"), st.integers(0, 200), st.just(0)),
    ),
    min_size=1,
    max_size=12,
)


def same(one: Any, other: Any) -> bool:
    return all(map(np.array_equal, (*one.h, *one.y), (*other.h, *other.y)))


def write(conversation: Conversation, count: int, how: Sampling = HOW) -> list[int]:
    """Let the model write up to `count` tokens."""
    written: list[int] = []
    list(conversation.open_answer())
    while conversation.age and len(written) < count:
        token = conversation.choose(how)
        if conversation.text.ends_turn(token):
            break
        conversation.take(token)
        written.append(token)
    if conversation.age:
        conversation.memory.head.answer = Answer("end", how.seed, 0.0)
    return written


def act(conversation: Conversation, kind: str, value: Any, count: int) -> None:
    """One thing that a visitor may do."""
    memory = conversation.memory
    path = list(memory.back())[::-1]
    match kind:
        case "send":
            list(conversation.read(value))
        case "rewind" | "switch" if path:
            (memory.rewind if kind == "rewind" else memory.switch)(path[value % len(path)])
        case "regenerate" if path:
            memory.rewind(conversation.prompt_of(path[value % len(path)]))
        case "edit":
            users = [turn for turn in memory.turns() if turn.role == USER]
            if users:
                memory.rewind(users[-1].nodes[0].parent or memory.root)
            list(conversation.read(value))
    write(conversation, count)


def tokens(conversation: Conversation) -> list[int]:
    return [node.token for node in conversation.memory.back()][::-1]


@settings(max_examples=60)
@given(actions, st.booleans())
def test_the_state_is_the_one_that_the_conversation_would_have_had_had_the_rest_never_happened(history: Any, turns: bool) -> None:
    conversation = Conversation(integer.LanguageNetwork(PROGRAM), Letters(turns))
    for action in history:
        act(conversation, *action)
    fresh = integer.LanguageNetwork(PROGRAM)
    for node in list(conversation.memory.back())[::-1]:
        fresh.step(node.token)
        assert same(node.state, fresh.state)
    if conversation.age:
        other = Conversation(integer.LanguageNetwork(PROGRAM), Letters(turns))
        for node in list(conversation.memory.back())[::-1]:
            other.feed(node.token, node.role, node.first)
        assert np.array_equal(conversation.scores(), other.scores())
        assert write(conversation, 6) == write(other, 6)
        assert conversation.memory.turns()[-1].text == other.memory.turns()[-1].text


@pytest.fixture(params=["host", "emulator", "watched"])
def backend(request: pytest.FixtureRequest) -> Iterator[Callable[[], Network]]:
    """A network on each backend: the host, an emulated chip in this process, and one in its own that is watched as the live one is."""
    processes = []
    networks = []

    def start() -> Network:
        if request.param == "host":
            return integer.LanguageNetwork(PROGRAM)
        pytest.importorskip("unicorn", reason="the emulated chip needs the extra emulator")
        from models.chip import emulated as chips

        if request.param == "emulator":
            network: Network = chips.on_one_chip([PROGRAM])[0]
            return network
        plan = placement.place([PROGRAM], firmware.image())
        processes.append(emulated(plan))
        watched = failover.LanguageNetwork(PROGRAM)
        watched.attach(failover.on_chip(processes[-1], plan)[0])
        networks.append(watched)
        return watched

    yield start
    for network in networks:  # else it was the host that kept the promise
        assert network.on_chip and network.checked == network.steps > 0
    for process in processes:
        process.close()


def test_on_every_backend_a_rewound_conversation_goes_on_as_one_that_never_went_further(backend: Callable[[], Network]) -> None:
    conversation = Conversation(backend(), Letters())
    list(conversation.read("abc"))
    place = conversation.memory.head
    first = write(conversation, 5)
    list(conversation.read("more"))
    write(conversation, 3)
    conversation.memory.rewind(place)
    assert write(conversation, 5) == first
    after = conversation.network.state
    host = integer.LanguageNetwork(PROGRAM)
    for token in tokens(conversation):
        host.step(token)
    assert same(after, host.state)
    conversation.memory.rewind(place)
    other = write(conversation, 5, Sampling(1.5, 0, seed=4))
    assert other != first
    assert len(conversation.memory.versions(conversation.memory.turns()[-1])) == 2


def test_rewinding_touches_neither_the_network_nor_any_other_token() -> None:
    conversation = Conversation(integer.LanguageNetwork(PROGRAM), Letters())
    list(conversation.read("some words"))
    write(conversation, 8)
    steps, kept = conversation.network.steps, len(conversation.memory)
    conversation.memory.rewind(conversation.memory.root)
    assert (conversation.network.steps, len(conversation.memory), conversation.age) == (steps, kept, 0)


def test_versions_of_a_turn_can_be_switched_between_with_all_that_followed_them() -> None:
    conversation = Conversation(integer.LanguageNetwork(PROGRAM), Letters())
    act(conversation, "send", "ab", 4)
    first = conversation.memory.turns()[1].text
    act(conversation, "send", "cd", 4)
    end = tokens(conversation)
    for seed in range(20):
        conversation.memory.rewind(conversation.prompt_of(conversation.memory.turns()[1].nodes[-1]))
        write(conversation, 4, Sampling(1.5, 0, seed=seed))
    versions = conversation.memory.versions(conversation.memory.turns()[1])
    assert len(versions) > 2
    assert len({node.id for node in versions}) == len(versions)
    conversation.memory.switch(versions[0])
    assert conversation.memory.turns()[1].text == first
    assert tokens(conversation) == end


def test_equal_tokens_after_equal_tokens_are_one_node_and_cost_nothing() -> None:
    conversation = Conversation(integer.LanguageNetwork(PROGRAM), Letters())
    for _ in range(3):
        conversation.memory.rewind(conversation.memory.root)
        act(conversation, "send", "abc", 6)
    path = list(conversation.memory.back())
    assert len(conversation.memory) == len(path)


def test_an_answer_that_is_written_anew_begins_without_the_space_that_leads_every_turn() -> None:
    tokenizer = Tokenizer.train([" a b c"] * 3, 3 + 256)
    program = make.program(2, "language", [20, 12], outputs=len(tokenizer))
    conversation = Conversation(integer.LanguageNetwork(program), tokenizer)
    list(conversation.read("a"))
    place = conversation.memory.head
    for again in (1, 2):
        conversation.memory.rewind(place)
        conversation.scores()
        for token in tokenizer.encode(" b" * again):
            conversation.take(token)
        assert conversation.memory.turns()[-1].text == ("b" if again == 1 else "b b")


def test_turns_have_their_speakers_their_words_and_no_markers() -> None:
    conversation = Conversation(integer.LanguageNetwork(PROGRAM), Letters())
    act(conversation, "send", "hello", 5)
    turns = conversation.memory.turns()
    assert [turn.role for turn in turns] == [USER, MODEL]
    assert turns[0].text == "hello"
    assert turns[1].nodes[0].token == BOT


@pytest.mark.parametrize("text", [Letters(), Letters(turns=False)])
def test_an_answer_can_be_continued_from_the_middle_of_either_speakers_turn(text: Text) -> None:
    conversation = Conversation(integer.LanguageNetwork(PROGRAM), text)
    list(conversation.read("hello"))
    middle = conversation.memory.turns()[0].nodes[3]
    write(conversation, 4)
    conversation.memory.rewind(middle)
    write(conversation, 4)
    user, model = conversation.memory.turns()
    assert "hello".startswith(user.text) and len(user.text) < 5
    assert model.role == MODEL


# ---- the tree alone ------------------------------------------------------------------------------------------------------------------


def grow(memory: Memory, count: int, token: int = 5) -> list[Node]:
    return [memory.add(token, MODEL if (memory.head.age // 4) % 2 else USER, memory.head.age % 4 == 0, bytes(8)) for _ in range(count)]


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 90), st.integers(3, 6)), max_size=8))
def test_what_is_kept_is_bounded_and_the_newest_of_the_conversation_is_always_kept(growth: list[tuple[int, int, int]]) -> None:
    memory = Memory(bytes(8), limit_bytes=0)
    age = 0
    for back, count, token in growth:
        path = [memory.root, *list(memory.back())[::-1]]
        memory.rewind(path[back % len(path)])
        age = memory.head.age + count
        nodes = grow(memory, count, token)
        assert len(memory) <= memory.limit
        assert memory.head is nodes[-1]
        assert memory.head.age == age
        kept = list(memory.back())
        assert len(kept) >= min(count, memory.limit // 2)
        assert all(memory[node.id] is node for node in kept)
        reachable, waiting = 0, [memory.root]
        while waiting:
            node = waiting.pop()
            reachable += 1
            waiting += node.children.values()
        assert reachable == len(memory) + 1


def test_branches_that_the_conversation_is_not_on_are_given_up_first_the_oldest_before() -> None:
    memory = Memory(bytes(8), limit_bytes=0)
    grow(memory, 10)
    place = memory.head
    branches = []
    for token in (6, 7, 8):
        memory.rewind(place)
        branches.append(grow(memory, 17, token)[-1])
    memory.rewind(place)
    grow(memory, 20, 9)
    for branch, kept in zip(branches, (False, True, True), strict=True):
        if kept:
            assert memory[branch.id] is branch
        else:
            with pytest.raises(KeyError):
                memory[branch.id]
    assert len(memory.turns()) == len([node for node in memory.back() if node.first])


def test_a_node_that_was_taken_too_much_can_be_dropped() -> None:
    memory = Memory(bytes(8), limit_bytes=0)
    *_, before, last = grow(memory, 3)
    memory.drop(last)
    assert memory.head is before
    assert (len(memory), before.children, before.latest) == (2, {}, None)
    memory.drop(memory.root)
    memory.rewind(memory.root)
    memory.drop(before.parent or before)
    assert len(memory) == 2


def test_the_size_of_a_state_is_that_of_its_numbers() -> None:
    state = integer.LanguageNetwork(PROGRAM).state
    assert state_bytes(state) == 6 * (20 + 12)
    assert state_bytes((b"abc", {"h": [np.zeros(3)]}, None)) == 27
