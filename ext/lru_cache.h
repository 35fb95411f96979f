// Least-recently-used map. No lock (the owner has one) and no knowledge of what the values are.
//
// Up to `capacity + buffer` entries are kept; one more, and the least recently used are dropped
// until `capacity` are left. So evictions come in batches, and a model that is asked for again soon
// after its neighbours were loaded is still there.
#pragma once

#include <algorithm>
#include <cstddef>
#include <list>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace torch_serving {

template <class Key, class Value>
class LruCache {
  public:
    LruCache(size_t capacity, size_t buffer) : capacity_(capacity), buffer_(buffer) {}

    // Find a value and make it the most recently used; nullptr where there is none.
    Value* get(const Key& key) {
        auto found = index_.find(key);
        if (found == index_.end()) return nullptr;
        entries_.splice(entries_.begin(), entries_, found->second);
        return &found->second->second;
    }

    // Insert or replace, and return how many other entries were evicted. They and the value that
    // was replaced are moved to `dropped`: its owner destroys them, after unlocking.
    size_t put(const Key& key, Value value, std::vector<Value>* dropped) {
        // so that nothing throws once something has been taken out
        dropped->reserve(std::min(buffer_, entries_.size()) + 2);
        remove(key, dropped);
        entries_.emplace_front(key, std::move(value));
        try {
            index_.emplace(key, entries_.begin());
        } catch (...) {
            entries_.pop_front();
            throw;
        }
        const size_t size = entries_.size();
        if (size <= capacity_ || size - capacity_ <= buffer_) return 0;
        const size_t evicted = size - capacity_;
        for (size_t i = 0; i < evicted; ++i) {
            dropped->push_back(std::move(entries_.back().second));
            index_.erase(entries_.back().first);
            entries_.pop_back();
        }
        return evicted;
    }

    bool remove(const Key& key, std::vector<Value>* dropped) {
        auto found = index_.find(key);
        if (found == index_.end()) return false;
        dropped->push_back(std::move(found->second->second));
        entries_.erase(found->second);
        index_.erase(found);
        return true;
    }

    void clear(std::vector<Value>* dropped) {
        dropped->reserve(dropped->size() + entries_.size());
        for (auto& entry : entries_) dropped->push_back(std::move(entry.second));
        index_.clear();
        entries_.clear();
    }

    size_t size() const { return entries_.size(); }
    // Most recently used first.
    const std::list<std::pair<Key, Value>>& entries() const { return entries_; }

  private:
    using Entries = std::list<std::pair<Key, Value>>;

    Entries entries_;
    std::unordered_map<Key, typename Entries::iterator> index_;
    size_t capacity_;
    size_t buffer_;
};

}  // namespace torch_serving
