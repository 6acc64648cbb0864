"""Makes a table of what the cases of the web layer came to: web.py FOLDER > web.md; 1 if one has failed."""

import sys

ARMS = {"Memory": "memory", "Sockets": "sockets", "Simulator": "simulator"}


def read(path):
    with open(path, encoding="utf-8") as lines:
        return [line.rstrip("\n").split("\t") for line in lines]


def main():
    folder = sys.argv[1]
    results = {arm: read(f"{folder}/{arm}.tsv") for arm in ARMS}
    rows, left_out, failed = [], {}, 0
    for of_case in zip(*results.values(), strict=True):
        (name, what, _) = of_case[0]
        cells = []
        for arm, (same, _, result) in zip(ARMS, of_case, strict=True):
            assert same == name, f"{arm} has {same} in the place of {name}"
            failed += result == "FAILED"
            if result.startswith("no: "):
                left_out.setdefault(result.removeprefix("no: "), []).append(name)
                result = f"no ({list(left_out).index(result.removeprefix('no: ')) + 1})"
            cells.append(result)
        rows.append(f"| `{name}` | {what} | {' | '.join(cells)} |")
    print("# The web layer, case by case\n")
    print(f"Written by `ci/conformance web`. {len(rows)} cases, each run in memory, on sockets and, under")
    print(f"several seeds, in the simulator by the same body (`system/testing/tests/web`); {failed} failed.\n")
    print(f"| case | what | {' | '.join(ARMS.values())} |")
    print("| --- | --- | --- | --- | --- |")
    print("\n".join(rows))
    if left_out:
        print("\nWhere a case is not run:\n")
        for number, reason in enumerate(left_out, 1):
            print(f"{number}. {reason}.")
    return 1 if failed else 0


sys.exit(main())
