"""Fuzzing of every parser of foreign bytes: coverage-guided with atheris where it is installed, else by mutation alone.

Usage: python bench/fuzz.py [--executions N] [--seed N] [--crashes FOLDER] [TARGET…]

Inputs come from tests/vectors, and are changed by what knows lines, numbers and JSON (tests/fuzz/mutation.py) as well
as by libFuzzer. Each target runs in a process of its own, with at most 2 GiB and 20 s for an input. What breaks
one is kept in the folder for crashes, and ends with 1. Prints executions and rate of each target.
"""

import argparse
import os
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "fuzz"))

MEMORY_MIB = 2048
INPUT_S = 20


def run_by_mutation(name: str, executions: int, seed: int, crashes: Path) -> None:
    from mutation import mutate
    from targets import TARGETS

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MIB << 20, MEMORY_MIB << 20))
    target = TARGETS[name]
    dice, known, read = random.Random(f"{name} {seed}"), target.seeds(), 0
    pool = list(known)
    for number in range(executions):
        data = mutate(dice, dice.choice(pool), pool, most=target.most)
        signal.alarm(INPUT_S)  # which ends the process
        try:
            if target.try_(data):
                read += 1
                # What is still read is a better start for the next change than what is not.
                pool.append(data) if len(pool) < 2000 else pool.__setitem__(dice.randrange(len(known), 2000), data)
        except BaseException:
            crashes.mkdir(parents=True, exist_ok=True)
            (crashes / f"{name}-{seed}-{number}").write_bytes(data)
            raise
    signal.alarm(0)
    print(f"DONE {executions} executions, {read} read")


def run_by_coverage(name: str, executions: int, seed: int, crashes: Path) -> None:
    import atheris

    with atheris.instrument_imports(include=["wherefrom"]):
        from targets import TARGETS
    from mutation import mutate

    target, done, read = TARGETS[name], 0, 0
    known = target.seeds()
    corpus = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
    for number, data in enumerate(known):
        (corpus / str(number)).write_bytes(data)
    crashes.mkdir(parents=True, exist_ok=True)

    def once(data: bytes) -> None:
        nonlocal done, read
        done += 1
        read += target.try_(data[: target.most])
        if done == executions:
            print(f"DONE {done} executions, {read} read", flush=True)
            os._exit(0)

    def change(data: bytes, most: int, seed: int) -> bytes:
        return mutate(random.Random(seed), data, known, most=most) if seed % 2 else atheris.Mutate(data, most)

    arguments = [
        sys.argv[0],
        str(corpus),
        f"-seed={seed + 1}",
        f"-max_len={target.most}",
        f"-timeout={INPUT_S}",
        f"-rss_limit_mb={MEMORY_MIB}",
        f"-artifact_prefix={crashes / name}-",
        "-verbosity=0",
    ]
    atheris.Setup(arguments, once, custom_mutator=change)
    atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--executions", type=int, default=1_200_000, help="of all targets together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--crashes", type=Path, default=Path("fuzz-crashes"))
    parser.add_argument(
        "--by", choices=["coverage", "mutation"], default="coverage" if find_spec("atheris") else "mutation"
    )
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        run = run_by_coverage if options.by == "coverage" else run_by_mutation
        run(options.targets[0], options.executions, options.seed, options.crashes)
        return
    from targets import TARGETS

    names = options.targets or list(TARGETS)
    shares = {name: 1 / TARGETS[name].cost ** 0.5 for name in names}
    total, broken, began = 0, [], time.monotonic()
    print(f"{len(names)} targets, by {options.by}, seed {options.seed}")
    for name in names:
        executions = max(1000, int(options.executions * shares[name] / sum(shares.values())))
        command = [sys.executable, __file__, name, "--alone", "--by", options.by, "--seed", str(options.seed)]
        command += ["--executions", str(executions), "--crashes", str(options.crashes.resolve())]
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as scratch:
            env = {**os.environ, "TMPDIR": scratch}
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, env=env)
        spent = time.monotonic() - start
        said = re.search(r"^DONE (\d+) executions, (\d+) read$", done.stdout, re.MULTILINE)
        if done.returncode == 0 and said:
            total += int(said[1])
            rate = int(said[1]) / spent
            print(f"{int(said[1]):9,}  {name:24} {rate:8,.0f}/s, {int(said[2]) / int(said[1]):4.0%} read", flush=True)
        else:
            broken.append(name)
            talk = [line for line in done.stderr.splitlines() if not line.startswith("INFO: ")]
            print(f"   BROKEN  {name} (status {done.returncode}):", *talk[-40:], sep="\n    ", flush=True)
    spent = time.monotonic() - began
    print(f"{total:9,}  executions in {spent:,.0f} s, {len(broken)} targets broken {' '.join(broken)}")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
