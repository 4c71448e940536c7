#!/usr/bin/env python3
"""A worker between the harness and another worker, which it changes.

usage: proxy.py MODE PROGRAM ARGUMENTS
slow=FACTOR   every sample takes so many times as long, and says so
swap=FROM=TO  another model is loaded than asked for
die=FILE      leaves with words at a sample call, if FILE is there
mute          does not tell logits
hide=DEVICE   has a device less
"""
import json, os, subprocess, sys, threading, time

mode, _, value = sys.argv[1].partition("=")
child = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def answers():
    for line in child.stdout:
        if mode == "slow" and '"samples":{' in line:
            message = json.loads(line)
            for sample in message["samples"]["samples"]:
                factor = float(value)
                time.sleep(sample["nanoseconds"] * (factor - 1) * 1.2 / 1e9)
                sample["nanoseconds"] = int(sample["nanoseconds"] * factor)
                sample["emits_ns"] = [int(at * factor) for at in sample["emits_ns"]]
            line = json.dumps(message) + "\n"
        if mode == "hide" and '"devices":{' in line:
            message = json.loads(line)
            listed = message["reply"]["answer"]["devices"]
            kept = [status for status in listed["devices"] if value not in json.dumps(status)]
            listed["devices"] = kept
            line = json.dumps(message) + "\n"
        sys.stdout.write(line)
        sys.stdout.flush()
    os._exit(child.wait())


reader = threading.Thread(target=answers)
reader.start()
for line in sys.stdin:
    request = json.loads(line)
    call = request["call"]
    name = call if isinstance(call, str) else next(iter(call))
    if mode == "swap" and name in ("load", "plan"):
        old, _, new = value.partition("=")
        line = line.replace(old, new)
    if mode == "die" and name == "sample" and os.path.exists(value):
        sys.stderr.write("the proxy ran out of luck\n")
        sys.stderr.flush()
        child.kill()
        os._exit(9)
    if mode == "mute" and name == "logits":
        fault = {"id": request["id"], "kind": "invalid", "message": "no logits here", "fix": None}
        sys.stdout.write(json.dumps({"fault": fault}) + "\n")
        sys.stdout.flush()
        continue
    child.stdin.write(line)
    child.stdin.flush()
child.stdin.close()
