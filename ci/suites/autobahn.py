"""Turns Autobahn's index.json into a page, and ends with 1 if a case has failed or is not there.

usage: autobahn.py INDEX
"""

import collections
import json
import sys

CASES = 517
# Why a case that is not strict is as it is. A case that is not listed here fails.
NOT_STRICT = {}

with open(sys.argv[1], encoding="utf-8") as file:
    cases = json.load(file)["simurgh"]


def order(case):
    return [int(part) for part in case.split(".")]


behaviour = collections.Counter(case["behavior"] for case in cases.values())
closing = collections.Counter(case["behaviorClose"] for case in cases.values())
bad = [
    name
    for name, case in cases.items()
    if "FAILED" in (case["behavior"], case["behaviorClose"])
    or case["behaviorClose"] in ("WRONG CODE", "UNCLEAN", "FAILED BY CLIENT")
    or (case["behavior"] == "NON-STRICT" and name not in NOT_STRICT)
]
print("# Autobahn\n")
print("The fuzzing client of the Autobahn suite (`autobahntestsuite` 25.10.1), all groups, permessage-deflate on,")
print("against the echo server of `ci/suites`; made by `ci/conformance websocket`.\n")
print("| | cases |\n| --- | --- |")
for name, count in sorted(behaviour.items()):
    print(f"| {name} | {count} |")
for name, count in sorted(closing.items()):
    print(f"| closing handshake: {name} | {count} |")
print("\nINFORMATIONAL cases have no right answer: the suite only notes what was done.")
for title, names in (
    ("Not strict", [name for name, case in cases.items() if case["behavior"] == "NON-STRICT"]),
    ("Failed", bad),
):
    if names:
        print(f"\n## {title}\n\n| case | behaviour | close | why |\n| --- | --- | --- | --- |")
        for name in sorted(names, key=order):
            case = cases[name]
            print(f"| {name} | {case['behavior']} | {case['behaviorClose']} | {NOT_STRICT.get(name, '')} |")
missing = CASES - len(cases)
if missing:
    print(f"\n{missing} cases did not run.")
for name in sorted(bad, key=order):
    print(f"FAILED {name}: {cases[name]['behavior']}, close {cases[name]['behaviorClose']}", file=sys.stderr)
sys.exit(1 if bad or missing else 0)
