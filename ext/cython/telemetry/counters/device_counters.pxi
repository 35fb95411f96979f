# The counters and gauges of one accelerator in one process.

@cython.final
cdef class DeviceCounters:
    """What this process does on one device, and the device's memory."""

    cdef DeviceRow* row
    cdef object owner  # keeps the memory alive that `row` is in

    def __cinit__(self, owner=None):
        """Without an owner, count in private memory."""
        if owner is None:
            self.owner = bytearray(sizeof(DeviceRow))
            self.row = <DeviceRow*><char*>self.owner
            reset(self.row)
        else:
            self.owner = owner

    cpdef int count_batch(self, Py_ssize_t rows, Py_ssize_t padded=0) except -1:
        """Count a run of so many rows of requests; `padded` more were added to fill its bucket."""
        self.row.batches += 1
        self.row.rows += rows
        self.row.padded += padded
        return 0

    def set_graphs(self, int64_t graphs):
        """Publish how many graphs are captured."""
        self.row.gauges.graphs = graphs

    def set_memory(self, int64_t allocated, int64_t reserved, int64_t free, int64_t total):
        """Publish the bytes that tensors take, those that the allocator holds, and the device's."""
        self.row.gauges.allocated = allocated
        self.row.gauges.reserved = reserved
        self.row.gauges.free = free
        self.row.gauges.total = total

    def set_utilization(self, double percent):
        """Publish the share of time in which the device was busy."""
        self.row.gauges.utilization = percent

    def set_up(self, bint is_up):
        """Publish whether this process serves with the device, or leaves it out."""
        self.row.gauges.up = is_up

    def numbers(self):
        return device_numbers_of(self.row)


cdef int reset(DeviceRow* row) noexcept:
    """Clear the gauges; counters stay."""
    memset(&row.gauges, 0, sizeof(DeviceGauges))
    row.gauges.utilization = row.gauges.up = -1
    return 0
