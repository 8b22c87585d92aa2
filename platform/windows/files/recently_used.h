#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <utility>

namespace cordon::platform {

// What the kernel's addresses stand for, of which not every end is told: what has not been used for long
// goes. Holds at most twice `most`. Not thread-safe.
template <typename Value>
class RecentlyUsed {
 public:
  explicit RecentlyUsed(size_t most) : most_(most) {}

  // nullptr when it is not known. Valid until the next call.
  Value* Find(uint64_t address) {
    if (const auto found = young_.find(address); found != young_.end()) return &found->second;
    auto node = old_.extract(address);
    if (node.empty()) return nullptr;
    return &Put(address, std::move(node.mapped()));
  }

  Value& Put(uint64_t address, Value value) {
    old_.erase(address);
    if (young_.size() >= most_ && !young_.contains(address)) old_ = std::exchange(young_, {});
    return young_.insert_or_assign(address, std::move(value)).first->second;
  }

  void Erase(uint64_t address) {
    young_.erase(address);
    old_.erase(address);
  }
  template <typename Which>
  void EraseIf(const Which& which) {
    const auto of_entry = [&](const auto& entry) { return which(entry.second); };
    std::erase_if(young_, of_entry);
    std::erase_if(old_, of_entry);
  }
  void Clear() {
    young_.clear();
    old_.clear();
  }
  size_t Size() const { return young_.size() + old_.size(); }

 private:
  const size_t most_;
  std::unordered_map<uint64_t, Value> young_;
  std::unordered_map<uint64_t, Value> old_;
};

}  // namespace cordon::platform
