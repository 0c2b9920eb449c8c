"""The specifications in docs/spec once more, in plain Python that follows their text and cares for nothing else.

Nothing here imports Wherefrom: what the two agree on, the specification says.
"""
