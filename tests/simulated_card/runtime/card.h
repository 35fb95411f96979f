// A simulated card: what torch's host code of CUDA (allocators, streams, events, pinned memory,
// graphs) asks of CUDA's runtime, without a card.
//
// Memory of the device is memory of the host. Each stream is a thread, which does what it was told
// in that order, and late. Copies from pinned memory read it when their turn comes, not before. No
// kernel of torch runs: operators.py has the CPU's do their work.
//
// Errors are numbers of `cudaError_t`; 0 is none.
#pragma once

#include <cuda.h>
#include <cuda_runtime_api.h>
#undef cudaGetDeviceProperties

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace card {

constexpr int kMaxDevices = 4;
constexpr int kMaxProcesses = 256;

// What all processes share, in the file that SIMULATED_CARD names. state.py has the same fields.
struct Shared {
    std::atomic<long> stranger_bytes;  // of each card, taken by somebody else
    std::atomic<int> fault;            // the error that every call meets; 0: none
    std::atomic<int> faulty_card;      // the only card that meets it, from 1 on; 0: all do
    std::atomic<int> is_busy;          // no process may open a card
    std::atomic<long> copy_us;         // how long each copy takes
    std::atomic<long> run_us;          // how long each operator takes
    std::atomic<long> operators, copies, replays, device_blocks, host_blocks;  // counted
    struct {
        std::atomic<int> pid;
        std::atomic<long> bytes[kMaxDevices];
    } process[kMaxProcesses];
};

using Work = std::function<int()>;  // an error that it returns breaks the device

// The end of a piece of work.
struct Ticket {
    bool is_done = false;
    double time_s = 0;
};

struct Task {
    Work work;
    std::shared_ptr<Ticket> ticket;
};

struct Capture;

struct Stream {
    int device = 0;
    int priority = 0;
    bool is_started = false;  // whether it has its thread
    bool is_busy = false;
    std::deque<Task> tasks;
    std::condition_variable wake;
    Capture* capture = nullptr;
    long captured = 0;  // pieces of work of this capture
    long joined = 0;    // those of them that the capture's first stream waited for
};

struct Event {
    bool has_time = true;
    std::shared_ptr<Ticket> ticket;
    unsigned long long capture = 0;  // where it was recorded; 0: in none
    Stream* stream = nullptr;
    long captured = 0;
};

using Graph = std::vector<Work>;

struct Capture {
    unsigned long long number;
    cudaStreamCaptureMode mode;
    std::thread::id thread;
    Stream* origin;
    std::set<Stream*> streams;
    bool is_invalid = false;
    std::unique_ptr<Graph> graph = std::make_unique<Graph>();
};

enum class Kind { kUnknown = 0, kHost = 1, kDevice = 2 };  // as in cudaMemoryType

struct Block {
    std::size_t bytes;
    int device;
    Kind kind;
};

// What a process knows of its cards. The mutex guards all of it.
struct World {
    std::mutex mutex;
    std::condition_variable changed;
    int pid = 0;     // of the process that looked at a card first; 0: none yet
    int broken = 0;  // the error that every call meets from now on
    bool is_open[kMaxDevices] = {};
    Stream* default_streams[kMaxDevices] = {};
    std::vector<Stream*> streams;
    std::map<char*, Block> blocks;
    std::map<unsigned long long, Capture*> captures;  // those under way
    unsigned long long last_capture = 0;
    std::unordered_map<const void*, std::string> kernels;
    std::map<CUmemGenericAllocationHandle, Block> physical;
    CUmemGenericAllocationHandle last_physical = 0;
};

using Lock = std::unique_lock<std::mutex>;

World& world();
Shared& shared();
int this_process();
int current_device();
void set_current_device(int device);

// Remembers an error for cudaGetLastError, and returns it.
cudaError_t answer(int error);

// Memory of the cards, which all processes share.
int device_count();
long total_bytes();
long used_bytes(int device);
bool take(int device, long bytes);
void give_back(int device, long bytes);

// All of these want the lock, and those that wait leave it meanwhile.
int state();
int open_card(int device);
int refuse_in_capture();
Stream* stream_of(const void* handle);
void push(Stream* stream, Work work, std::shared_ptr<Ticket> ticket = nullptr);
bool is_idle(const Stream* stream);
int wait_for(const std::shared_ptr<Ticket>& ticket, Lock& lock);
int wait_for_stream(Stream* stream, Lock& lock);
int wait_for_card(int device, Lock& lock);
const Block* block_of(const void* memory);
Kind kind_of(const void* memory);

// These take the lock themselves.
int open_current();
int submit(const void* stream, const Work& work);

void sleep_us(long us);

}  // namespace card
