import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherefrom.capture.frames import MIN_FRAME_BYTES, FrameReader, format_frames
from wherefrom.errors import FormatError

messages = st.dictionaries(st.text(max_size=20), st.text(max_size=3000), max_size=5).map(lambda d: {**d, "do": "x"})


def frames_of(message, *, sender="a-1", sequence=1, frame_bytes=MIN_FRAME_BYTES):
    return list(format_frames(message, sender=sender, sequence=sequence, frame_bytes=frame_bytes))


def read(frames):
    reader = FrameReader()
    return [message for frame in frames if (message := reader.feed(frame.removesuffix(b"\n"))) is not None]


@given(messages, st.sampled_from([64, 512, 4096]))
def test_a_message_comes_back_from_frames_none_of_which_is_longer_than_a_pipe_keeps_whole(message, frame_bytes):
    frames = frames_of(message, frame_bytes=frame_bytes)
    assert all(len(frame) <= frame_bytes and frame.count(b"\n") == 1 for frame in frames)
    assert read(frames) == [message]


@given(st.lists(messages, min_size=2, max_size=4), st.randoms())
def test_frames_of_several_processes_may_be_interleaved(sent, random):
    queues = [frames_of(message, sender=f"{n}-x", frame_bytes=64) for n, message in enumerate(sent)]
    mixed = []
    while any(queues):
        mixed.append(random.choice([queue for queue in queues if queue]).pop(0))
    received = read(mixed)
    assert sorted(map(json.dumps, received)) == sorted(map(json.dumps, sent))


def test_a_message_that_comes_twice_counts_once_and_two_equal_ones_twice():
    first, second = frames_of({"do": "x"}, sequence=1), frames_of({"do": "x"}, sequence=2)
    assert read(first + first) == [{"do": "x"}]
    assert read(first + second) == [{"do": "x"}, {"do": "x"}]
    other = frames_of({"do": "x"}, sender="b-2", sequence=1)
    assert read(first + other) == [{"do": "x"}, {"do": "x"}]


def test_paths_that_are_no_text_survive():
    path = b"caf\xe9.csv".decode(errors="surrogateescape")
    assert read(frames_of({"do": "read", "paths": [path]})) == [{"do": "read", "paths": [path]}]


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"a-1",
        b"a-1 one .{}",
        b'a-1 1 !{"do":"x"}',
        b'a-1 1 .{"do":"x"',
        b"a-1 1 .[]",
        b'a-1 1 .{"did":"x"}',
        b'a-1 1 .{"do":1}',
    ],
)
def test_what_is_no_frame_is_refused(frame):
    with pytest.raises(FormatError, match="frame"):
        FrameReader().feed(frame)


def test_a_torn_message_does_not_take_the_next_one_with_it():
    torn, whole = frames_of({"do": "x", "text": "y" * 900}), frames_of({"do": "z"}, sequence=2)
    assert len(torn) > 1
    assert read([torn[0], *whole]) == [{"do": "z"}]
