#pragma once

// The Merkle tree of RFC 9162 (section 2.1) with SHA-256, for logs that only grow. Pure. The hash of a whole
// subtree of 2^level leaves never changes any more: whoever stores those can tell the root at any size, and
// that one size goes on from another, from O(log size) of them.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cordon {

inline constexpr size_t kMaxConsistencyHashes = 64;
inline constexpr uint64_t kMaxMerkleSize = uint64_t{1} << 62;

// The whole subtree over the leaves [index << level, (index + 1) << level); leaves count from 0.
struct MerklePlace {
  uint32_t level = 0;
  uint64_t index = 0;
  friend bool operator==(const MerklePlace&, const MerklePlace&) = default;
};

struct MerkleNode {
  MerklePlace place;
  std::string hash;  // 32 bytes
};

// Looks the hash of a whole subtree up; its error ends the call that asked.
using MerkleReader = std::function<absl::StatusOr<std::string>(const MerklePlace&)>;

std::string MerkleLeafHash(std::string_view entry);
std::string MerkleInnerHash(std::string_view left, std::string_view right);

// The root of no leaves at all: SHA-256 of nothing.
std::string EmptyMerkleRoot();

// The root of the first `size` leaves. OUT_OF_RANGE beyond kMaxMerkleSize.
absl::StatusOr<std::string> MerkleRoot(uint64_t size, const MerkleReader& reader);

// The whole subtrees that become known with the leaf `index`, `entry`: the leaf itself, then upwards. About
// two per leaf.
absl::StatusOr<std::vector<MerkleNode>> MerkleAppend(uint64_t index, std::string_view entry,
                                                     const MerkleReader& reader);

// PROOF(first, D[size]): that a tree of `size` leaves goes on from one of `first`. Empty for `first` 0 and
// `size`. OUT_OF_RANGE when first > size.
absl::StatusOr<std::vector<std::string>> MerkleConsistency(uint64_t first, uint64_t size,
                                                           const MerkleReader& reader);

// OK when `proof` shows that the tree of `second` leaves with `second_root` begins with the tree of `first`
// leaves with `first_root`. DATA_LOSS says that it does not.
absl::Status VerifyMerkleConsistency(uint64_t first, std::string_view first_root, uint64_t second,
                                     std::string_view second_root, std::span<const std::string> proof);

// A tree that is walked once from its first leaf on: keeps O(log size) hashes. Not thread-safe.
class MerkleWalk {
 public:
  void Add(std::string_view entry);
  uint64_t Size() const { return size_; }
  std::string Root() const;

 private:
  uint64_t size_ = 0;
  std::vector<std::string> whole_;  // of the whole subtrees that `size_` is made of, the largest first
};

}  // namespace cordon
