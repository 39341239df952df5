"""Writes fires.txt: when cron patterns fire and where calendar intervals begin, in every IANA zone from 2020 to 2030, worked
out without any of Matins' code: croniter on a clock that never changes, zoneinfo for the zones, numpy for the rest.

    python3 -m venv /tmp/fires && /tmp/fires/bin/pip install croniter==7.0.0 numpy tzdata==2025.2
    PYTHONTZPATH= /tmp/fires/bin/python tests/cases/fires/make.py > tests/cases/fires/fires.txt

tzdata 2025.2 is IANA 2025b, which chrono-tz 0.10.4 has too. A line holds, for a list of zones that agree, one `count:hash`
for each column; the hash is the sum of instant * (2 * position + 1), modulo 2^64, over the instants in seconds of UTC.
"""

import datetime as dt
import sys
import zoneinfo

import numpy as np
from croniter import croniter

EPOCH = dt.datetime(1970, 1, 1)
FIRST, LAST = dt.datetime(2020, 1, 1), dt.datetime(2031, 1, 1)
# Patterns of every hour are long: two years of them, and of all eleven the days around each change of the clock.
HOURLY_FIRST, HOURLY_LAST = dt.datetime(2024, 1, 1), dt.datetime(2026, 1, 1)
FIXED = ["30 2 * * *", "0 0 * * *", "15,45 1,3 * * MON-FRI", "0 3 1 * *", "20 */2 * * SUN", "10 5 2 * * *"]
HOURLY = ["0 * * * *", "*/20 * * * *"]
NEAR = 36 * 3600
SLACK = dt.timedelta(days=2)


def seconds(at):
    return int((at - EPOCH).total_seconds())


def walls(pattern, first, last):
    """Wall-clock times of a pattern, as if clocks never changed. croniter puts the seconds last."""
    fields = pattern.split()
    if len(fields) == 6:
        pattern = " ".join(fields[1:] + fields[:1])
    times, at = [], croniter(pattern, first - SLACK - dt.timedelta(seconds=1))
    while True:
        next = at.get_next(dt.datetime)
        if next > last + SLACK:
            return np.array(times, dtype=np.int64)
        times.append(seconds(next))


def segments(zone):
    """(from, offset) of each stretch with one offset, in seconds; found by asking every six hours, then halving."""
    offset = lambda s: int((EPOCH + dt.timedelta(seconds=s)).replace(tzinfo=dt.timezone.utc).astimezone(zone).utcoffset().total_seconds())
    low, high, step = seconds(FIRST) - 20 * 86400, seconds(LAST) + 20 * 86400, 6 * 3600
    all, at, now = [(low, offset(low))], low, offset(low)
    while at < high:
        then = offset(at + step)
        if then != now:
            a, b = at, at + step
            while b - a > 1:
                middle = (a + b) // 2
                a, b = (a, middle) if offset(middle) != now else (middle, b)
            all.append((b, then))
            now = then
        at += step
    return all


def instants(times, stretches, every_hour):
    """All instants at which the clock shows these times; by the rules where there is none, or there are two."""
    ends = [start for start, _ in stretches[1:]] + [1 << 40]
    found = np.full((len(stretches), len(times)), np.iinfo(np.int64).max)
    for row, ((start, offset), end) in enumerate(zip(stretches, ends)):
        utc = times - offset
        inside = (utc >= start) & (utc < end)
        found[row][inside] = utc[inside]
    if every_hour:
        fires = found[found != np.iinfo(np.int64).max]
    else:
        first = found.min(axis=0)
        for (_, before), (start, after) in zip(stretches, stretches[1:]):
            skipped = (times - before >= start) & (times - after < start)
            first[skipped] = start
        fires = first
    return np.unique(fires)


def digest(fires, first, last):
    fires = fires[(fires >= seconds(first)) & (fires < seconds(last))]
    weights = 2 * np.arange(len(fires), dtype=np.uint64) + 1
    return f"{len(fires)}:{int((fires.astype(np.uint64) * weights).sum(dtype=np.uint64)):016x}"


def near(fires, stretches):
    """Those within a day and a half of a change of the clock."""
    changes = [start for start, _ in stretches[1:] if seconds(FIRST) <= start < seconds(LAST)]
    kept = np.zeros(len(fires), dtype=bool)
    for change in changes:
        kept |= (fires >= change - NEAR) & (fires < change + NEAR)
    return fires[kept]


def days(keep):
    day, all = FIRST - dt.timedelta(days=400), []
    while day < LAST + dt.timedelta(days=400):
        if keep(day):
            all.append(seconds(day))
        day += dt.timedelta(days=1)
    return np.array(all, dtype=np.int64)


def main():
    fixed = [(p, walls(p, FIRST, LAST)) for p in FIXED]
    hourly = [(p, walls(p, HOURLY_FIRST, HOURLY_LAST)) for p in HOURLY]
    always = [(p, walls(p, FIRST, LAST)) for p in HOURLY]
    all_hours = np.arange(seconds(FIRST) - 86400 * 2, seconds(LAST) + 86400 * 2, 3600)
    full_hours = np.arange(seconds(HOURLY_FIRST) - 86400 * 2, seconds(HOURLY_LAST) + 86400 * 2, 3600)
    calendar = [
        ("day", days(lambda d: True)),
        ("week monday", days(lambda d: d.weekday() == 0)),
        ("week sunday", days(lambda d: d.weekday() == 6)),
        ("month", days(lambda d: d.day == 1)),
        ("quarter", days(lambda d: d.day == 1 and d.month % 3 == 1)),
    ]
    print("\t".join(FIXED + HOURLY + [name for name, _ in calendar] + ["hour"] + [f"near {p}" for p in HOURLY] + ["near hour"]))
    groups = {}
    for name in sorted(zoneinfo.available_timezones()):
        if name in ("Factory", "localtime", "posixrules"):
            continue
        stretches = segments(zoneinfo.ZoneInfo(name))
        row = [digest(instants(t, stretches, False), FIRST, LAST) for _, t in fixed]
        row += [digest(instants(t, stretches, True), HOURLY_FIRST, HOURLY_LAST) for _, t in hourly]
        row += [digest(instants(t, stretches, False), FIRST, LAST) for _, t in calendar]
        row.append(digest(instants(full_hours, stretches, True), HOURLY_FIRST, HOURLY_LAST))
        row += [digest(near(instants(t, stretches, True), stretches), FIRST, LAST) for _, t in always]
        row.append(digest(near(instants(all_hours, stretches, True), stretches), FIRST, LAST))
        groups.setdefault(tuple(row), []).append(name)
        print(name, file=sys.stderr)
    for row, names in sorted(groups.items(), key=lambda group: group[1]):
        print("\t".join(row) + "\t" + ",".join(names))


main()
