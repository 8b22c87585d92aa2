#include "common/wire/merkle.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/crypto/digest.h"

namespace cordon {
namespace {

absl::Status CheckSize(uint64_t size) {
  if (size <= kMaxMerkleSize) return absl::OkStatus();
  return absl::OutOfRangeError(StrCat("a tree of ", size, " entries is larger than any log"));
}

// MTH(D[from : to]), where `from` is a multiple of the largest power of two that fits: so in every tree that
// RFC 9162 cuts.
absl::StatusOr<std::string> RangeRoot(uint64_t from, uint64_t to, const MerkleReader& reader) {
  std::string root;
  // The range is whole subtrees, each smaller than the one before it. The smallest stand together at the
  // bottom right, so the hashes are joined from the right.
  for (uint64_t rest = to; rest > from;) {
    const uint64_t length = rest - from;
    const int level = std::countr_zero(length);
    rest -= uint64_t{1} << level;
    CORDON_ASSIGN_OR_RETURN(std::string left, reader({static_cast<uint32_t>(level), rest >> level}));
    root = root.empty() ? std::move(left) : MerkleInnerHash(left, root);
  }
  return root;
}

bool IsOdd(uint64_t number) {
  return (number & 1) != 0;
}

// The places of the two trees' last leaves on the way up from the old one's.
struct Climb {
  uint64_t first;
  uint64_t second;

  void Up() {
    first >>= 1;
    second >>= 1;
  }
};

absl::Status Inconsistent(std::string_view what) {
  return absl::DataLossError(StrCat("the proof does not hold: ", what));
}

}  // namespace

std::string MerkleLeafHash(std::string_view entry) {
  Sha256Stream stream;
  stream.Update(std::string_view("\0", 1));
  stream.Update(entry);
  return stream.Finish();
}

std::string MerkleInnerHash(std::string_view left, std::string_view right) {
  Sha256Stream stream;
  stream.Update("\1");
  stream.Update(left);
  stream.Update(right);
  return stream.Finish();
}

std::string EmptyMerkleRoot() {
  return Sha256("");
}

absl::StatusOr<std::string> MerkleRoot(uint64_t size, const MerkleReader& reader) {
  CORDON_RETURN_IF_ERROR(CheckSize(size));
  if (size == 0) return EmptyMerkleRoot();
  return RangeRoot(0, size, reader);
}

absl::StatusOr<std::vector<MerkleNode>> MerkleAppend(uint64_t index, std::string_view entry,
                                                     const MerkleReader& reader) {
  CORDON_RETURN_IF_ERROR(CheckSize(index));
  std::vector<MerkleNode> nodes = {{{0, index}, MerkleLeafHash(entry)}};
  while (IsOdd(nodes.back().place.index)) {
    const MerklePlace place = nodes.back().place;
    CORDON_ASSIGN_OR_RETURN(const std::string left, reader({place.level, place.index - 1}));
    nodes.push_back({{place.level + 1, place.index >> 1}, MerkleInnerHash(left, nodes.back().hash)});
  }
  return nodes;
}

absl::StatusOr<std::vector<std::string>> MerkleConsistency(uint64_t first, uint64_t size,
                                                           const MerkleReader& reader) {
  CORDON_RETURN_IF_ERROR(CheckSize(size));
  if (first > size) {
    return absl::OutOfRangeError(StrCat("a log of ", size, " entries does not go on from one of ", first));
  }
  std::vector<std::string> proof;
  if (first == 0 || first == size) return proof;
  // SUBPROOF(first, D[from : to], known), turned into a loop; what it appends last comes first here.
  uint64_t from = 0;
  uint64_t to = size;
  bool known = true;  // the old tree is a part of its own of this one: its hash is the verifier's
  while (from + first != to) {
    const uint64_t left = std::bit_floor(to - from - 1);
    if (first <= left) {
      CORDON_ASSIGN_OR_RETURN(proof.emplace_back(), RangeRoot(from + left, to, reader));
      to = from + left;
    } else {
      CORDON_ASSIGN_OR_RETURN(proof.emplace_back(), RangeRoot(from, from + left, reader));
      from += left;
      first -= left;
      known = false;
    }
  }
  if (!known) {
    CORDON_ASSIGN_OR_RETURN(proof.emplace_back(), RangeRoot(from, to, reader));
  }
  std::ranges::reverse(proof);
  return proof;
}

// RFC 9162, section 2.1.4.2.
absl::Status VerifyMerkleConsistency(uint64_t first, std::string_view first_root, uint64_t second,
                                     std::string_view second_root, std::span<const std::string> proof) {
  if (first > second) return Inconsistent(StrCat("the log has ", second, " entries, and had ", first));
  if (first == 0 || first == second) {
    if (!proof.empty()) return Inconsistent("it has hashes where none are needed");
    if (first == second && first_root != second_root) return Inconsistent("the same size has another root");
    return absl::OkStatus();
  }
  if (proof.size() > kMaxConsistencyHashes) return Inconsistent("it is longer than any log needs");
  if (std::ranges::any_of(proof, [](const std::string& hash) { return hash.size() != kSha256Bytes; })) {
    return Inconsistent("a hash in it is not 32 bytes long");
  }
  std::vector<std::string_view> path(proof.begin(), proof.end());
  if (std::has_single_bit(first)) path.insert(path.begin(), first_root);
  if (path.empty()) return Inconsistent("it is empty");
  Climb at{first - 1, second - 1};
  while (IsOdd(at.first)) at.Up();
  std::string old_root(path.front());
  std::string new_root(path.front());
  for (const std::string_view hash : std::span(path).subspan(1)) {
    if (at.second == 0) return Inconsistent("it is too long");
    if (IsOdd(at.first) || at.first == at.second) {
      old_root = MerkleInnerHash(hash, old_root);
      new_root = MerkleInnerHash(hash, new_root);
      while (at.first != 0 && !IsOdd(at.first)) at.Up();
    } else {
      new_root = MerkleInnerHash(new_root, hash);
    }
    at.Up();
  }
  if (at.second != 0) return Inconsistent("it is too short");
  if (old_root != first_root) return Inconsistent("it does not lead to the old root");
  if (new_root != second_root) return Inconsistent("it does not lead to the new root");
  return absl::OkStatus();
}

void MerkleWalk::Add(std::string_view entry) {
  std::string hash = MerkleLeafHash(entry);
  for (uint64_t bits = size_; IsOdd(bits); bits >>= 1) {
    hash = MerkleInnerHash(whole_.back(), hash);
    whole_.pop_back();
  }
  whole_.push_back(std::move(hash));
  ++size_;
}

std::string MerkleWalk::Root() const {
  if (whole_.empty()) return EmptyMerkleRoot();
  std::string root = whole_.back();
  for (size_t i = whole_.size() - 1; i > 0; --i) root = MerkleInnerHash(whole_[i - 1], root);
  return root;
}

}  // namespace cordon
