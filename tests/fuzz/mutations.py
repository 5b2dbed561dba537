"""Harm done to valid input, reproducible from a seed: bytes, numbers, words, lines, JSON values and whole parts.

A case is a tuple of parts: the frames of a message, the bytes of a file, or the words of a text.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

Case = tuple[bytes, ...]
Mutation = Callable[[random.Random, bytes], bytes]

MAX_BYTES = 1 << 20
"""Longest part that a mutation makes."""

NUMBERS = tuple(
    sorted({edge + d for edge in (0, 2**7, 2**8, 2**15, 2**16, 2**31, 2**32, 2**62, 2**63) for d in (-1, 0, 1)})
)
"""Whole numbers at which integers wrap, overflow or change their sign."""

WORDS = tuple(
    word.encode("utf-8", "surrogateescape")
    for word in (
        *("", " ", "\0", "\n", "\r\n", "\x1b[2J", "\u202e", "\u2028", "\udcff", "\ufeff", "é", "走", "\U0001f600"),
        *("0", "-0", "1", "-1", "1e308", "1e999", "-1e999", "nan", "inf", "1_0", "0x10", "9" * 25, "9" * 5000),
        *("٣", "²", "½", "true", "null", "none", "[", "]", "{", "}", "[]", "{}", "'", '"', "\\", "/", "//", "://"),
        *("#", "?", "&", "=", ":", ";", ",", ",,", "+", "%", "%00", "%ff", "@", "..", "*", "<", ">", "[[", "x" * 300),
    )
)
"""Text on which parsers trip."""


def mutate_bytes(rng: random.Random, data: bytes, words: Sequence[bytes] = WORDS) -> bytes:
    """Return the data with one to four small harms."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        _harm(rng, out, words)
    return bytes(out[:MAX_BYTES])


def _harm(rng: random.Random, out: bytearray, words: Sequence[bytes]) -> None:
    at = rng.randrange(len(out) + 1)
    stop = min(len(out), at + rng.choice((1, 2, 4, 8, rng.randint(1, 64), len(out))))
    match rng.randrange(11):
        case 0 if at < len(out):
            out[at] ^= 1 << rng.randrange(8)
        case 1 if at < len(out):
            out[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        case 2:
            size = rng.choice((1, 2, 4, 8))
            number = rng.choice(NUMBERS) % (1 << 8 * size)
            out[at : at + size] = number.to_bytes(size, rng.choice(("little", "big")))
        case 3:
            del out[at:stop]
        case 4:
            del out[at:]
        case 5:
            out[at:at] = rng.randbytes(rng.randint(1, 16))
        case 6:
            out[at:at] = out[at:stop]
        case 7:
            piece = bytes(out[at:stop]) or b"a"
            out[at:at] = piece * min(rng.choice((3, 30, 3000)), MAX_BYTES // len(piece))
        case 8:
            out[at:stop] = rng.choice(words)
        case 9:
            other = rng.randrange(len(out) + 1)
            out[at:stop] = out[other : other + stop - at]
        case _:
            out[at:at] = rng.choice(words)


def mutate_lines(rng: random.Random, data: bytes, words: Sequence[bytes] = WORDS) -> bytes:
    """Return a text with lines left out, repeated, swapped, cut, or with another value behind ``=``, ``:`` or ``,``."""
    lines = data.split(b"\n")
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(lines))
        match rng.randrange(6):
            case 0 if len(lines) > 1:
                del lines[at]
            case 1:
                lines[at:at] = [lines[at]] * rng.choice((1, 1, 2, 200))
            case 2:
                other = rng.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
            case _:
                sign = rng.choice((b"=", b":", b",", b" "))
                pieces = lines[at].split(sign)
                pieces[rng.randrange(len(pieces))] = rng.choice(words)
                lines[at] = sign.join(pieces)
    return b"\n".join(lines)[:MAX_BYTES]


def mutate_text(rng: random.Random, data: bytes, words: Sequence[bytes] = WORDS) -> bytes:
    """Return a text harmed as lines or as bytes."""
    return rng.choice((mutate_lines, mutate_bytes))(rng, data, words)


def _strange_value(rng: random.Random) -> Any:
    deep: Any = 0
    for _ in range(rng.choice((2, 50, 400))):
        deep = [deep] if rng.random() < 0.5 else {"x": deep}
    return rng.choice(
        [
            *(None, True, False, 0.5, 1e308, -1e-308, [], {}, [[]], [None], {"": 0}, deep, "x" * 200),
            *NUMBERS,
            *(word.decode("utf-8", "replace") for word in WORDS[:40]),
        ]
    )


def mutate_json(rng: random.Random, data: bytes) -> bytes:
    """Return a JSON document with other values, keys and lengths; or with harmed bytes."""
    if rng.random() < 0.3:
        return mutate_bytes(rng, data)
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return mutate_bytes(rng, data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        document = _with_harm(rng, document)
    return json.dumps(document).encode()[:MAX_BYTES]


def _with_harm(rng: random.Random, node: Any) -> Any:
    if not isinstance(node, (dict, list)) or not node or rng.random() < 0.15:
        return _strange_value(rng)
    if isinstance(node, list):
        at = rng.randrange(len(node))
        match rng.randrange(8):
            case 0:
                del node[at]
            case 1:
                node[at:at] = [node[at]] * rng.choice((1, 3, 100))
            case _:
                node[at] = _with_harm(rng, node[at])
        return node
    key = rng.choice(list(node))
    match rng.randrange(8):
        case 0:
            del node[key]
        case 1:
            node[rng.choice((*node, "", "__class__", "x" * 300, key.upper()))] = node.pop(key)
        case _:
            node[key] = _with_harm(rng, node[key])
    return node


def mutate_parts(rng: random.Random, case: Case, mutation: Mutation, others: Sequence[Case] = ()) -> Case:
    """Return a case with harmed parts; rarely with parts left out, repeated, swapped or taken from another case."""
    parts = list(case)
    kind = rng.random()
    at = rng.randrange(len(parts))
    if kind < 0.05 and len(parts) > 1:
        del parts[at]
    elif kind < 0.08:
        parts.insert(at, parts[at])
    elif kind < 0.11:
        other = rng.randrange(len(parts))
        parts[at], parts[other] = parts[other], parts[at]
    elif kind < 0.2 and others:
        parts[at] = rng.choice(rng.choice(others) or (b"",))
    if kind > 0.11 or rng.random() < 0.5:
        at = rng.randrange(len(parts))
        parts[at] = mutation(rng, parts[at])
    return tuple(parts)


def harmed(seeds: Sequence[Case], mutate: Callable[[random.Random, Case], Case]) -> st.SearchStrategy[Case]:
    """Return a Hypothesis strategy: harmed seeds, and parts of any bytes."""
    mutated = st.builds(lambda rng, seed: mutate(rng, seed), st.randoms(use_true_random=False), st.sampled_from(seeds))
    anything = st.sampled_from(seeds).flatmap(lambda seed: st.tuples(*(st.binary(max_size=200) for _ in seed)))
    return mutated | anything
