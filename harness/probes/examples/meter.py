#!/usr/bin/env python3
"""A meter as yardstick takes it: lines of `timestamp,watts`. This one makes its watts up; put the reading of a real one in
`watts`. With the name of a fault it misbehaves, for tests: meter.py [SECONDS_BETWEEN_LINES [FAULT [AFTER_SECONDS]]]."""

import random
import sys
import time


def watts(start):
    """50 W, and 200 W for a quarter of each 70 ms, read with a little noise."""
    busy = (time.time() - start) % 0.07 < 0.0175
    return (200 if busy else 50) + random.uniform(-0.5, 0.5)


def main():
    period = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    fault = sys.argv[2] if len(sys.argv) > 2 else ""
    after = float(sys.argv[3]) if len(sys.argv) > 3 else 0.0
    start = time.time()
    while True:
        now = time.time()
        line = f"{now:.6f},{watts(start):.2f}"
        if now - start >= after:
            if fault == "dies":
                sys.exit("the plug went away")
            if fault == "silent":
                time.sleep(3600)
            line = {
                "stuck": f"{now:.6f},54.00",
                "backwards": f"{2 * start - now:.6f},54.00",
                "nan": f"{now:.6f},nan",
                "implausible": f"{now:.6f},90000",
                "format": '{"power": 54}',
                "milliseconds": f"{now * 1000:.0f},54",
                "skewed": f"{now - 3600:.6f},54",
                "flood": "x" * 10000,
            }.get(fault, line)
        print(line, flush=True)
        time.sleep(period)


if __name__ == "__main__":
    main()
