"""Training of the small SentencePiece model that ships as the default text tokeniser.

Run `python -m embodio.train.tokenizers.text OUT.model` to make the shipped file again. The corpus is drawn from the
sentence patterns below with a fixed seed, so the same SentencePiece version gives the same pieces. Byte fallback keeps
every Unicode text representable; the learned pieces only make common words short.
"""

import io
import random
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

PIECES = 512
SENTENCES = 12_000
SEED = 2

_WORDS: dict[str, list[str]] = {
    slot: words.split(", ")
    for slot, words in {
        "colour": "red, green, blue, yellow, black, white, grey, orange, purple, brown, pink, silver",
        "size": "small, large, big, tiny, tall, short, long, wide",
        "object": (
            "cube, block, can, bottle, bowl, cup, mug, plate, spoon, fork, knife, pan, pot, nut, peg, ring, "
            "door, drawer, handle, lid, box, bag, towel, sponge, button, lever, bread, banana, apple, carrot, "
            "milk carton, cereal box, book, toy, ball, star, letter, tool"
        ),
        "place": (
            "table, shelf, bin, basket, tray, sink, stove, cabinet, drawer, counter, floor, corner, "
            "container, plate, left bin, right bin, top shelf, bottom drawer, square peg, round peg"
        ),
        "relation": (
            "on, in, into, onto, under, above, below, behind, beside, next to, near, in front of, to the left "
            "of, to the right of, between, inside, on top of"
        ),
        "verb": (
            "pick up, lift, grasp, take, move, push, pull, slide, place, put, stack, drop, hold, turn, "
            "rotate, open, close, wipe, insert, press, reach, release, bring, pour, sweep"
        ),
        "being": "a person, a man, a woman, a child, a dog, a cat, a bird, a horse, people, a robot arm",
        "doing": (
            "walking, running, sitting, standing, playing, riding, holding, looking, eating, working, "
            "speaking, singing, moving, cooking, reading, barking, waiting, lifting something"
        ),
        "scene": "kitchen, street, room, field, park, office, beach, garden, workshop, station, laboratory",
        "sound": "music, rain, speech, an engine, footsteps, a bell, water, wind, a motor, knocking",
        "direction": "left, right, up, down, forward, backward, away from you, towards you",
        "number": "zero, one, two, three, four, five, six, seven, eight, nine, ten",
        "answer": "yes, no, none, unknown, true, false, MISSING, done, not yet",
    }.items()
}

_PATTERNS: tuple[str, ...] = (
    "{verb} the {colour} {object}",
    "{verb} the {object}",
    "{verb} the {size} {object} {relation} the {place}",
    "{verb} the {colour} {object} and {verb} it {relation} the {place}.",
    "Lift the {object} above the table.",
    "Move the gripper {digit} centimetres {direction}, then {verb} the {object}.",
    "What action should the robot take to {verb} the {object}?",
    "The robot state is {digit} {digit} {digit}. The task is to {verb} the {object}. What are the next actions?",
    "Instruction: {verb} the {object} {relation} the {colour} {object}. Action:",
    "Which object is {relation} the {place}?",
    "What colour is the {object} {relation} the {place}?",
    "How many {colour} objects are {relation} the {place}? {number}",
    "Is the {object} {relation} the {place}? {answer}",
    "Is the gripper open or closed? {answer}",
    "Where is the {size} {colour} {object}? It is {relation} the {place}.",
    "A {size} {colour} {object} {relation} a {place}.",
    "{being} {doing} {relation} the {scene}, with a {object} {relation} the {place}.",
    "An image of {being} {doing} in a {scene}.",
    "A video of {being} {doing} with a {colour} {object}.",
    "The sound of {sound} in a {scene} while {being} is {doing}.",
    "Describe the image.",
    "Describe the video in one sentence.",
    "What do you hear?",
    "What happens next?",
    "Caption: {being} {verb}s the {object}; the {object} is now {relation} the {place}.",
    "Return the bounding box of the {colour} {object} {relation} the {place}.",
    "Generate the goal image after you {verb} the {object}.",
    "At time {digit}.{digit} the {object} was {digit} mm from the {place} ({answer}).",
    "First {verb} the {object}, then {verb} the {object}, and finally {verb} the {object} {relation} the {place}!",
    "If the {object} falls, {verb} it again; don't stop until it is {relation} the {place}.",
    "The {object} did not move: the gripper missed it by {digit} mm, so try again from the {direction}.",
)

_PRINTABLE = "".join(chr(code) for code in range(33, 127))


def corpus(sentences: int = SENTENCES, seed: int = SEED) -> Iterator[str]:
    """Yields `sentences` training lines, the same ones for the same seed; about half begin with a capital."""
    rng = random.Random(seed)
    for _ in range(200):
        yield " ".join(_PRINTABLE)  # every printable ASCII character becomes a piece
    for _ in range(sentences):
        line = rng.choice(_PATTERNS)
        for slot, words in _WORDS.items():
            while "{" + slot + "}" in line:
                line = line.replace("{" + slot + "}", rng.choice(words), 1)
        while "{digit}" in line:
            line = line.replace("{digit}", str(rng.randrange(1000)), 1)
        yield line[0].upper() + line[1:] if rng.random() < 0.5 else line


def train(pieces: int = PIECES, lines: Iterable[str] | None = None) -> bytes:
    """Trains a byte-fallback BPE model like the LLaMA tokeniser: no normalisation, a dummy space in front.

    Args:
        pieces: number of pieces with the 3 control pieces and 256 bytes.
        lines: text to train on; None for `corpus()`.

    Returns:
        The serialised SentencePiece model.
    """
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus() if lines is None else lines),
        model_writer=model,
        model_type="bpe",
        vocab_size=pieces,
        normalization_rule_name="identity",
        add_dummy_prefix=True,
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        split_digits=True,
        byte_fallback=True,
        character_coverage=1.0,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        num_threads=1,
        minloglevel=2,
    )
    return model.getvalue()


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(train())
