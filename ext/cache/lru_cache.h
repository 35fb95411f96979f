// Least-recently-used map. No lock (the owner has one) and no knowledge of what the values are.
//
// Up to `capacity + buffer` entries are kept; one more, and the least recently used are dropped
// until `capacity` are left. So evictions come in batches, and a model that is asked for again soon
// after its neighbours were loaded is still there.
//
// An entry may also have a size and a group, the device whose memory it takes: then the least
// recently used of the group are dropped while they are larger together than `group_bytes`. The
// newest entry stays, however large it is.
#pragma once

#include <cstddef>
#include <iterator>
#include <list>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace torch_serving {

template <class Key, class Value>
class LruCache {
  public:
    LruCache(size_t capacity, size_t buffer, size_t group_bytes)
        : capacity_(capacity), buffer_(buffer), group_bytes_(group_bytes) {}

    // Find a value and make it the most recently used; nullptr where there is none.
    Value* get(const Key& key) {
        auto found = index_.find(key);
        if (found == index_.end()) return nullptr;
        entries_.splice(entries_.begin(), entries_, found->second);
        return &found->second->value;
    }

    // Insert or replace, and return how many other entries were evicted. They and the value that
    // was replaced are moved to `dropped`: its owner destroys them, after unlocking.
    size_t put(const Key& key, Value value, size_t bytes, int group, std::vector<Value>* dropped) {
        dropped->reserve(entries_.size() + 2);  // nothing throws once something has been taken out
        remove(key, dropped);
        entries_.push_front({key, std::move(value), bytes, group});
        try {
            index_.emplace(key, entries_.begin());
        } catch (...) {
            entries_.pop_front();
            throw;
        }
        const size_t before = entries_.size();
        if (before > capacity_ && before - capacity_ > buffer_) {
            while (entries_.size() > capacity_) drop(std::prev(entries_.end()), dropped);
        }
        if (group_bytes_ != 0) shrink(group, group_bytes_, dropped);
        return before - entries_.size();
    }

    // Drop the least recently used of a group until they fit, and return how many; the most
    // recently used entry of all stays.
    size_t shrink(int group, size_t bytes, std::vector<Value>* dropped) {
        dropped->reserve(dropped->size() + entries_.size());
        size_t total = 0;
        for (const Entry& entry : entries_) total += entry.group == group ? entry.bytes : 0;
        const size_t before = entries_.size();
        for (auto at = entries_.end(); at != entries_.begin() && total > bytes;) {
            auto entry = std::prev(at);
            if (entry == entries_.begin()) break;
            if (entry->group == group) {
                total -= entry->bytes;
                drop(entry, dropped);
            } else {
                at = entry;
            }
        }
        return before - entries_.size();
    }

    bool remove(const Key& key, std::vector<Value>* dropped) {
        auto found = index_.find(key);
        if (found == index_.end()) return false;
        drop(found->second, dropped);
        return true;
    }

    void clear(std::vector<Value>* dropped) {
        dropped->reserve(dropped->size() + entries_.size());
        for (auto& entry : entries_) dropped->push_back(std::move(entry.value));
        index_.clear();
        entries_.clear();
    }

    // Append all values, the most recently used first.
    void list(std::vector<Value>* values) const {
        values->reserve(values->size() + entries_.size());
        for (const Entry& entry : entries_) values->push_back(entry.value);
    }

    size_t size() const { return entries_.size(); }
    size_t bytes() const {
        size_t total = 0;
        for (const Entry& entry : entries_) total += entry.bytes;
        return total;
    }

  private:
    struct Entry {
        Key key;
        Value value;
        size_t bytes;
        int group;
    };
    using Entries = std::list<Entry>;

    void drop(typename Entries::iterator entry, std::vector<Value>* dropped) {
        dropped->push_back(std::move(entry->value));
        index_.erase(entry->key);
        entries_.erase(entry);
    }

    Entries entries_;  // the most recently used first
    std::unordered_map<Key, typename Entries::iterator> index_;
    size_t capacity_;
    size_t buffer_;
    size_t group_bytes_;  // 0: no limit
};

}  // namespace torch_serving
