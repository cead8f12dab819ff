#!/usr/bin/env python3
"""follow.py PLACE: prints what arrived since the last time, a line of JSON each, and keeps its
place in the file PLACE. To be run again and again, by cron for example. Needs a key with the
scope read. Python 3.9 or newer, nothing else."""
import json, os, pathlib, sys, urllib.error, urllib.parse, urllib.request

place = pathlib.Path(sys.argv[1])
cursor = place.read_text() if place.exists() else ""
while True:
    url = os.environ["TRIBUTARY_URL"] + "/v1/events?" + urllib.parse.urlencode({"limit": 1000, "cursor": cursor})
    request = urllib.request.Request(url, headers={"Authorization": "Bearer " + os.environ["TRIBUTARY_KEY"]})
    try:
        page = json.load(urllib.request.urlopen(request, timeout=60))
    except urllib.error.HTTPError as problem:
        if problem.code != 410:
            sys.exit(problem.read().decode())
        cursor = ""  # the ledger was rebuilt: from the beginning, where versionId tells what is known
        continue
    for event in page["events"]:
        print(json.dumps(event))
    sys.stdout.flush()
    cursor = page["cursor"]
    place.write_text(cursor)  # only now: what was not handled comes again
    if not page["events"]:
        break
