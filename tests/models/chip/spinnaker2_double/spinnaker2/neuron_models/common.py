"""What programs share."""

import os

from models.chip.layout import target_words
from spinnaker2.coordinates import PE
from spinnaker2.mapper import Mapper


def format_routing_info(mapper: Mapper, pe: PE) -> tuple[int, list[int]]:
    words = target_words(mapper._targets(pe)).tolist()
    return len(words), words + words * (os.environ.get("DOUBLE_FAULT") == "routing")
