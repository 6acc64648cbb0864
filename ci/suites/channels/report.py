"""Makes a table of what the clients of channels came to: report.py ROWS.. > channels.md; 1 if one has failed."""

import sys


def main():
    rows = [line.rstrip("\n").split("\t") for path in sys.argv[1:] for line in open(path, encoding="utf-8")]
    count = {verdict: sum(row[2] == verdict for row in rows) for verdict in ("ok", "FAILED", "skipped")}
    print("# Clients of channels, case by case\n")
    print("Written by `ci/conformance channels`: the official client, two versions over two transports, and clients that")
    print("others wrote, each as it ships, with `lab channels` on the loopback. \"Killed\" is SIGKILL; the server comes back on")
    print(f"the same port. {len(rows)} cases: {count['ok']} ok, {count['FAILED']} failed, {count['skipped']} skipped.\n")
    print("| client | case | verdict | reason |\n| --- | --- | --- | --- |")
    for client, case, verdict, reason in rows:
        shown = "**FAILED**" if verdict == "FAILED" else verdict
        print(f"| {client} | {case} | {shown} | {reason.replace('|', '/')} |")
    return 1 if count["FAILED"] or not rows else 0


sys.exit(main())
