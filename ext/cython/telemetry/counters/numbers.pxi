# What is read from the shared memory: plain numbers.

class MethodNumbers(NamedTuple):
    """The counters of one method, all workers together; histograms are (buckets, sum)."""

    codes: dict[int, int]
    loads: int
    cold_starts: int
    last_s: float
    steps: dict[str, tuple[list[int], float]]
    batches: tuple[list[int], int]


class WorkerNumbers(NamedTuple):
    """What one worker is at, and has done."""

    pid: int
    threads: int
    jobs: int  # that run or wait there
    models: int
    bytes: int
    loads: int
    evictions: int
    failed_loads: int
    rejected: int
    dropped: int  # lines of its logs


class DeviceNumbers(NamedTuple):
    """What one worker has done on one device, and what it knows of it."""

    batches: int
    rows: int  # of requests
    padded: int  # rows that were added to fill buckets
    graphs: int
    allocated: int
    reserved: int
    free: int
    total: int  # 0: unknown
    utilization: float | None  # percent
    up: bool | None  # whether it serves with it


cdef object device_numbers_of(DeviceRow* row):
    cdef DeviceGauges* gauges = &row.gauges
    return DeviceNumbers(
        row.batches,
        row.rows,
        row.padded,
        gauges.graphs,
        gauges.allocated,
        gauges.reserved,
        gauges.free,
        gauges.total,
        gauges.utilization if gauges.utilization >= 0 else None,
        bool(gauges.up) if gauges.up >= 0 else None,
    )


cdef object numbers_of(Row* row):
    cdef int i, j
    return MethodNumbers(
        {CODES[i]: row.codes[i] for i in range(N_CODES) if row.codes[i]},
        row.loads,
        row.cold_starts,
        row.last_s,
        {
            STEPS[i]: ([row.steps[i].buckets[j] for j in range(N_SECONDS)], row.steps[i].sum)
            for i in range(N_STEPS)
        },
        ([row.batches[i] for i in range(N_SIZES)], row.batched),
    )


cdef object sum_of(object a, object b):
    """Two MethodNumbers added."""
    return MethodNumbers(
        {code: a.codes.get(code, 0) + b.codes.get(code, 0) for code in a.codes | b.codes},
        a.loads + b.loads,
        a.cold_starts + b.cold_starts,
        max(a.last_s, b.last_s),
        {
            step: (
                [x + y for x, y in zip(a.steps[step][0], b.steps[step][0])],
                a.steps[step][1] + b.steps[step][1],
            )
            for step in STEPS
        },
        (
            [x + y for x, y in zip(a.batches[0], b.batches[0])],
            a.batches[1] + b.batches[1],
        ),
    )


cdef bytes device_name(DeviceRow* row):
    return row.name[:DEVICE_BYTES].rstrip(b"\0")


cdef tuple key_of(Row* row):
    return row.name[:NAME_BYTES].rstrip(b"\0"), row.method[:METHOD_BYTES].rstrip(b"\0")
