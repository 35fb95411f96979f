// The memory of the cards, and what a test sets: in a file that all processes share.
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>

#include "card.h"

namespace card {
namespace {

int process_id = getpid();

// The kernel is asked once a process: it is slow to say so in a virtual machine.
__attribute__((constructor)) void watch_forks() {
    pthread_atfork(nullptr, nullptr, [] { process_id = getpid(); });
}

long setting(const char* name, long otherwise) {
    const char* text = std::getenv(name);
    return text ? std::atol(text) : otherwise;
}

bool is_gone(int pid) { return pid > 0 && kill(pid, 0) != 0 && errno == ESRCH; }

Shared* open_shared() {
    const char* path = std::getenv("SIMULATED_CARD");
    const int file = open(path ? path : "/dev/shm/simulated-card", O_RDWR | O_CREAT, 0600);
    if (file < 0 || ftruncate(file, sizeof(Shared)) != 0) std::abort();
    void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (memory == MAP_FAILED) std::abort();
    return static_cast<Shared*>(memory);
}

bool claim(int index) {
    auto& entry = shared().process[index];
    int owner = entry.pid;
    if (is_gone(owner) && entry.pid.compare_exchange_strong(owner, 0)) owner = 0;
    if (owner != 0 || !entry.pid.compare_exchange_strong(owner, process_id)) return false;
    for (auto& bytes : entry.bytes) bytes = 0;
    return true;
}

std::atomic<long>& bytes_of_this_process(int device) {
    static int index = -1;
    static int owner = 0;
    if (owner != process_id) {
        for (index = 0; index < kMaxProcesses && !claim(index);) ++index;
        if (index == kMaxProcesses) std::abort();
        owner = process_id;
    }
    return shared().process[index].bytes[device];
}

// One for each entry of CUDA_VISIBLE_DEVICES, or one for each card.
int visible(const char* names, int cards) {
    if (!names) return cards;
    if (!*names || !std::strcmp(names, "-1")) return 0;
    int count = 1;
    for (; *names; ++names) count += *names == ',';
    return std::min(count, cards);
}

}  // namespace

Shared& shared() {
    static Shared* const found = open_shared();
    return *found;
}

int this_process() { return process_id; }

int device_count() {
    static const int count = visible(std::getenv("CUDA_VISIBLE_DEVICES"),
                                     static_cast<int>(setting("SIMULATED_CARD_COUNT", 1)));
    return count;
}

long total_bytes() {
    static const long bytes = setting("SIMULATED_CARD_MIB", 8192) << 20;
    return bytes;
}

long used_bytes(int device) {
    long sum = shared().stranger_bytes;
    for (auto& entry : shared().process) {
        if (entry.pid > 0 && !is_gone(entry.pid)) sum += entry.bytes[device];
    }
    return sum;
}

bool take(int device, long bytes) {
    if (used_bytes(device) + bytes > total_bytes()) return false;
    bytes_of_this_process(device) += bytes;
    return true;
}

void give_back(int device, long bytes) { bytes_of_this_process(device) -= bytes; }

void sleep_us(long us) {
    if (us > 0) std::this_thread::sleep_for(std::chrono::microseconds(us));
}

}  // namespace card

extern "C" {

long simulated_card_bytes(int device) { return card::used_bytes(device); }

// The next process after an index, and what it holds; returns its index, or -1.
int simulated_card_process(int index, int device, unsigned* pid, unsigned long long* bytes) {
    while (++index < card::kMaxProcesses) {
        auto& entry = card::shared().process[index];
        if (entry.pid <= 0 || entry.bytes[device] <= 0) continue;
        *pid = static_cast<unsigned>(entry.pid);
        *bytes = static_cast<unsigned long long>(entry.bytes[device]);
        return index;
    }
    return -1;
}

}  // extern "C"
