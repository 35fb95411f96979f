# The layout of the shared memory: a slot for each worker; in it a row for each method of a model,
# and for each accelerator.

# Upper bounds of the histograms; one more bucket counts what is beyond.
SECONDS = (
    50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.25, 0.5, 1.0,
    2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0,
)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
# copy: to and from an accelerator; it has no observations on the CPU
STEPS = ("request", "queue", "decode", "copy", "forward", "encode")
CODES = (
    200, 400, 401, 404, 405, 406, 408, 413, 415, 431, 499, 500, 503, 504,
)  # any other is counted as 500
ROWS = 1024  # methods of models, of each worker
DEVICES = 16  # of each worker
KINDS = 64  # of errors

cdef enum:
    N_SECONDS = 22
    N_SIZES = 12
    N_STEPS = 6
    N_CODES = 14
    N_ROWS = 1024
    N_DEVICES = 16
    N_KINDS = 64
    NAME_BYTES = 512
    METHOD_BYTES = 64
    DEVICE_BYTES = 32
    REQUEST = 0
    OTHER_CODE = 11

cdef double[N_SECONDS - 1] BOUNDS = SECONDS
cdef unsigned char[600] CODE_INDEX
memset(CODE_INDEX, OTHER_CODE, sizeof(CODE_INDEX))
for _index, _code in enumerate(CODES):
    CODE_INDEX[_code] = _index


cdef struct Histogram:
    uint64_t[N_SECONDS] buckets
    double sum


cdef struct Row:
    char[NAME_BYTES] name
    char[METHOD_BYTES] method
    uint64_t[N_CODES] codes
    uint64_t loads
    uint64_t cold_starts  # requests that waited for the model to be loaded
    double last_s  # of the latest response, by the monotonic clock
    Histogram[N_STEPS] steps
    uint64_t[N_SIZES] batches  # by size
    uint64_t batched  # requests in all of them


cdef struct DeviceGauges:
    int64_t allocated, reserved, free, total  # bytes; a total of 0: unknown
    int64_t graphs
    double utilization  # percent; below 0: unknown
    int64_t up  # 1: it serves, 0: it is left out, below 0: unknown


cdef struct DeviceRow:
    char[DEVICE_BYTES] name
    uint64_t batches, rows, padded
    DeviceGauges gauges


cdef struct WorkerSlot:
    int64_t pid
    int64_t threads, jobs
    int64_t models, bytes
    uint64_t loads, evictions, failed_loads, rejected
    uint64_t dropped
    uint64_t[N_KINDS] errors
    Py_ssize_t n_devices
    DeviceRow[N_DEVICES] devices
    Py_ssize_t rows
    Row[N_ROWS] table
