"""A vocabulary of letters, small enough for the random programs of chip/programs.py: three markers, then a token a letter."""

from models.inference import Doubt

MARKERS = 3
END, USER, BOT = range(MARKERS)
SIZE = 30
LETTERS = "abcdefghijklmnopqrstuvwxyz ".ljust(SIZE - MARKERS)


class Stream:
    def feed(self, token: int) -> str:
        return "" if token < MARKERS else LETTERS[token - MARKERS]


class Letters:
    """`models.inference.Text`; with `turns` False a text is just continued, as models without dialogue do."""

    def __init__(self, turns: bool = True) -> None:
        self.turns = turns

    def encode(self, text: str) -> list[int]:
        return [LETTERS.index(letter) + MARKERS for letter in text if letter in LETTERS]

    def prompt(self, text: str, first: bool) -> list[int]:
        return [END] * first + [USER, *self.encode(text), BOT] if self.turns else self.encode(text)

    def ends_turn(self, token: int) -> bool:
        return self.turns and token < MARKERS

    def stream(self) -> Stream:
        return Stream()

    def doubts(self, text: str) -> list[Doubt]:
        return [Doubt(place, place + 1, "unknown", 0) for place, letter in enumerate(text) if letter not in LETTERS]
