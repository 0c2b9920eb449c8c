"""Makes tests/vectors/tlog/split-views.json: run once, from the tests' folder `unit`, whose made logs it takes."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from tiled_logs import KEY, make_log, sign

from wherefrom.notes import SigningKey, TrustedLog, TrustPolicy, format_policy, open_checkpoint
from wherefrom.tlog.source import MemorySource
from wherefrom.tlog.split_view import SplitView, format_split_view, make_split_view
from wherefrom.tlog.verified import VerifiedLog


def main():
    stranger = SigningKey("example.com/stranger", bytes(32))
    ours = format_policy(TrustPolicy((TrustedLog(KEY.verifier_key),))).decode()
    theirs = format_policy(TrustPolicy((TrustedLog(stranger.verifier_key),))).decode()
    both = format_policy(TrustPolicy((TrustedLog(KEY.verifier_key), TrustedLog(stranger.verifier_key)))).decode()

    def view(size, other_size, fork_at):
        seen, other = make_log(size), make_log(other_size, fork_at=fork_at)
        larger = seen if size > other_size else other
        log = VerifiedLog(MemorySource(larger), open_checkpoint(larger["checkpoint"], [KEY.verifier_key]))
        return make_split_view(seen["checkpoint"], other["checkpoint"], log.read)

    one, two, perfect = view(5, 5, 3), view(5, 7, 3), view(4, 6, 0)
    large = view(600, 70_000, 599)
    honest = view(5, 7, 7)
    wrong_proof = SplitView(two.smaller, two.larger, two.root, (*two.proof[:-1], bytes(32)))
    long_proof = SplitView(two.smaller, two.larger, two.root, (*two.proof, bytes(32)))
    two_logs = SplitView(*sorted((one.smaller, sign(5, bytes(32), stranger)), key=lambda note: note.split(b"\n")[2]))
    text = format_split_view(one).decode()
    cases = [
        ("two roots for one size", one, ours, "true"),
        ("two sizes, the older tree is no prefix of the newer", two, ours, "true"),
        ("two sizes, the smaller a power of two, whose root a proof leaves out", perfect, ours, "true"),
        ("two sizes far apart", large, ours, "true"),
        ("either log of the policy may be the one", one, both, "true"),
        ("the newer tree begins with the older", honest, ours, "false"),
        ("one checkpoint twice", SplitView(one.smaller, one.smaller), ours, "false"),
        ("a hash of the proof is another", wrong_proof, ours, "false"),
        ("a hash too many", long_proof, ours, "false"),
        ("signed by a log that is not trusted", one, theirs, "could not check"),
        ("one checkpoint by each of two logs", two_logs, both, "false"),
        (
            "another signature",
            text.replace("— example.com/tiled ", "— example.com/tiled x", 1),
            ours,
            "could not check",
        ),
        ("no newline at the end", text[:-1], ours, "could not check"),
        ("a space more", text.replace(":", ": ", 1), ours, "could not check"),
    ]
    listed = [
        {
            "desc": desc,
            "policy": policy,
            "evidence": made if isinstance(made, str) else format_split_view(made).decode(),
            "want": want,
        }
        for desc, made, policy, want in cases
    ]
    source = "docs/spec/split-view.md; made by tests/reference/make_split_views.py"
    path = Path(__file__).parents[1] / "vectors" / "tlog" / "split-views.json"
    path.write_text(json.dumps({"source": source, "cases": listed}, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
