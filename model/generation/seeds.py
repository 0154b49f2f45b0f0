"""A seed of its own for every part of a request: segments of a long sound, people in an image."""

from hashlib import blake2b


def part_seed(seed: int, part: int) -> int:
    """The seed of a part, a function of the request's seed and the part's number alone.

    Part 0 has the seed itself, so that a request of one part draws what a plain request with that seed does. Other
    parts have numbers in [0, 2**63).
    """
    if part == 0:
        return seed
    digest = blake2b(f"{seed}/{part}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
