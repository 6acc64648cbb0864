"""Has redbot look at several pages, and prints what it has to say; ends with 1 if it finds a fault.

usage: redbot.py REDBOT BASE
"""

import json
import subprocess
import sys

redbot, base = sys.argv[1:]
PAGES = ["/", "/static/page.html", "/static/plain.txt", "/static/page.html?vsn=d", "/compressed", "/redirect?to=/", "/none"]
# Warnings that are as they should be, and why.
EXPECTED = {
    "STORE_PUBLIC_UNNECESSARY": "it says that a file is for all, as Plug.Static does",
    "FRESHNESS_HEURISTIC": "whether an answer may be kept is the handler's to say",
}

print("# redbot\n")
print("What redbot 2.7.1 says of pages of the server in `ci/suites`; made by `ci/conformance http`. Good notes are")
print("counted, warnings and faults are listed.\n")
print("| page | status | good | information | warnings and faults |\n| --- | --- | --- | --- | --- |")
faults = 0
for page in PAGES:
    said = subprocess.run([redbot, "-o", "har", base + page], capture_output=True, check=True, timeout=60, text=True)
    entry = json.loads(said.stdout)["log"]["entries"][0]
    notes = entry["_red_messages"]
    count = {level: sum(note["level"] == level for note in notes) for level in ("GOOD", "INFO")}
    told = []
    for note in notes:
        if note["level"] in ("GOOD", "INFO"):
            continue
        why = EXPECTED.get(note["note_id"]) if note["level"] == "WARN" else None
        faults += why is None
        told.append(f"{note['level']} {note['note_id']}: {why or '**' + note['summary'] + '**'}")
    print(f"| `{page}` | {entry['response']['status']} | {count['GOOD']} | {count['INFO']} | {'<br>'.join(told)} |")
    for line in told:
        if "**" in line:
            print(f"FAILED {page}: {line}", file=sys.stderr)
print(f"\n{faults} faults.")
sys.exit(1 if faults else 0)
