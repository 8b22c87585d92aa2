#include "common/wire/merkle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <random>
#include <utility>

#include "common/base/hex.h"
#include "common/base/strings.h"
#include "common/crypto/digest.h"
#include "tests/support/soak.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_fleet.h"

namespace cordon {
namespace {

using ::testing::ElementsAre;
using testing::Fails;
using testing::IsOk;
using testing::Must;

// A log's whole subtrees, as a store keeps them.
class StoredTree {
 public:
  void Add(const std::string& entry) {
    for (MerkleNode& node : Must(MerkleAppend(size_, entry, Reader()))) {
      EXPECT_TRUE(nodes_.emplace(Key(node.place), std::move(node.hash)).second) << "a node is made once";
    }
    ++size_;
  }
  MerkleReader Reader() const {
    return [this](const MerklePlace& place) -> absl::StatusOr<std::string> {
      ++reads_;
      const auto found = nodes_.find(Key(place));
      if (found == nodes_.end())
        return absl::DataLossError(StrCat("no node ", place.level, "/", place.index));
      return found->second;
    };
  }
  std::string Root(uint64_t size) const { return Must(MerkleRoot(size, Reader())); }
  std::vector<std::string> Proof(uint64_t first, uint64_t size) const {
    return Must(MerkleConsistency(first, size, Reader()));
  }
  size_t Nodes() const { return nodes_.size(); }
  int TakeReads() const { return std::exchange(reads_, 0); }

 private:
  static std::pair<uint32_t, uint64_t> Key(const MerklePlace& place) { return {place.level, place.index}; }
  std::map<std::pair<uint32_t, uint64_t>, std::string> nodes_;
  uint64_t size_ = 0;
  mutable int reads_ = 0;
};

StoredTree TreeOf(int entries) {
  StoredTree tree;
  for (int i = 0; i < entries; ++i) tree.Add(StrCat("entry ", i));
  return tree;
}

std::string Bytes(std::string_view hex) {
  return Must(HexDecode(hex));
}

// The definition of RFC 9162, section 2.1.1, word for word.
std::string DefinedRoot(std::span<const std::string> leaves) {
  if (leaves.empty()) return Sha256("");
  if (leaves.size() == 1) return Sha256(std::string(1, '\0') + leaves[0]);
  size_t left = 1;
  while (left * 2 < leaves.size()) left *= 2;
  return Sha256("\1" + DefinedRoot(leaves.first(left)) + DefinedRoot(leaves.subspan(left)));
}

// The log of the reference tests of Certificate Transparency.
const std::vector<std::string>& KnownLeaves() {
  static const std::vector<std::string> leaves = {"",
                                                  Bytes("00"),
                                                  Bytes("10"),
                                                  Bytes("2021"),
                                                  Bytes("3031"),
                                                  Bytes("40414243"),
                                                  Bytes("5051525354555657"),
                                                  Bytes("606162636465666768696a6b6c6d6e6f")};
  return leaves;
}

StoredTree KnownTree() {
  StoredTree tree;
  for (const std::string& leaf : KnownLeaves()) tree.Add(leaf);
  return tree;
}

TEST(Merkle, HasTheRootsOfTheKnownLog) {
  const std::vector<std::string> roots = {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                                          "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                                          "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                                          "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
                                          "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                                          "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
                                          "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
                                          "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
                                          "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
  const StoredTree tree = KnownTree();
  MerkleWalk walk;
  for (size_t size = 0; size < roots.size(); ++size) {
    EXPECT_EQ(HexEncode(tree.Root(size)), roots[size]) << size;
    EXPECT_EQ(HexEncode(walk.Root()), roots[size]) << size;
    if (size < KnownLeaves().size()) walk.Add(KnownLeaves()[size]);
  }
}

TEST(Merkle, HasTheConsistencyProofsOfTheKnownLog) {
  const StoredTree tree = KnownTree();
  EXPECT_THAT(tree.Proof(1, 8),
              ElementsAre(Bytes("96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"),
                          Bytes("5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"),
                          Bytes("6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4")));
  EXPECT_THAT(tree.Proof(6, 8),
              ElementsAre(Bytes("0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"),
                          Bytes("ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"),
                          Bytes("d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7")));
  EXPECT_THAT(tree.Proof(2, 5),
              ElementsAre(Bytes("5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"),
                          Bytes("bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b")));
}

TEST(Merkle, RootsFollowTheDefinitionAtEverySize) {
  constexpr int kSizes = 300;
  const StoredTree tree = TreeOf(kSizes);
  std::vector<std::string> leaves;
  MerkleWalk walk;
  for (int size = 0; size <= kSizes; ++size) {
    ASSERT_EQ(tree.Root(static_cast<uint64_t>(size)), DefinedRoot(leaves)) << size;
    ASSERT_EQ(walk.Root(), DefinedRoot(leaves)) << size;
    ASSERT_EQ(walk.Size(), static_cast<uint64_t>(size));
    leaves.push_back(StrCat("entry ", size));
    walk.Add(leaves.back());
  }
}

// Every pair of sizes up to some hundreds: the proof holds, and with one thing of it altered it does not.
TEST(Merkle, AUT3_EveryProofHoldsAndNoAlteredOneDoes) {
  const auto kSizes = static_cast<uint64_t>(testing::StormCount(130, 400));
  const StoredTree tree = TreeOf(static_cast<int>(kSizes));
  std::vector<std::string> roots;
  for (uint64_t size = 0; size <= kSizes; ++size) roots.push_back(tree.Root(size));
  const std::string other = Sha256("another");
  int altered = 0;
  const auto refuse = [&](uint64_t first, const std::string& first_root, uint64_t second,
                          const std::string& second_root, const std::vector<std::string>& proof) {
    ++altered;
    ASSERT_FALSE(VerifyMerkleConsistency(first, first_root, second, second_root, proof).ok())
        << first << " " << second;
  };
  for (uint64_t second = 1; second <= kSizes; ++second) {
    for (uint64_t first = 1; first <= second; ++first) {
      const std::vector<std::string> proof = tree.Proof(first, second);
      ASSERT_THAT(VerifyMerkleConsistency(first, roots[first], second, roots[second], proof), IsOk());
      refuse(first, other, second, roots[second], proof);
      refuse(first, roots[first], second, other, proof);
      refuse(first - 1, roots[first], second, first == 1 ? other : roots[second],
             first == 1 ? std::vector{other} : proof);
      std::vector<std::string> longer = proof;
      longer.push_back(other);
      refuse(first, roots[first], second, roots[second], longer);
      for (size_t i = 0; i < proof.size(); ++i) {
        std::vector<std::string> bad = proof;
        bad[i][(first + second) % kSha256Bytes] ^= 1;
        refuse(first, roots[first], second, roots[second], bad);
        bad = proof;
        bad.erase(bad.begin() + static_cast<std::ptrdiff_t>(i));
        refuse(first, roots[first], second, roots[second], bad);
      }
    }
  }
  EXPECT_GT(altered, 80'000);
}

// A log that was forked anywhere before what was seen has no proof that leads there, whatever is offered.
TEST(Merkle, AUT3_AForkHasNoProofOfItsOwn) {
  constexpr uint64_t kSize = 100;
  const StoredTree honest = TreeOf(kSize);
  for (uint64_t fork = 0; fork < 64; ++fork) {
    StoredTree forked;
    for (uint64_t i = 0; i < kSize; ++i) forked.Add(i == fork ? "something else" : StrCat("entry ", i));
    const std::string root = forked.Root(kSize);
    EXPECT_FALSE(VerifyMerkleConsistency(64, honest.Root(64), kSize, root, forked.Proof(64, kSize)).ok())
        << fork;
    EXPECT_FALSE(VerifyMerkleConsistency(64, honest.Root(64), kSize, root, honest.Proof(64, kSize)).ok())
        << fork;
    // The positive control: from before the fork it goes on.
    EXPECT_THAT(VerifyMerkleConsistency(fork, honest.Root(fork), kSize, root, forked.Proof(fork, kSize)),
                IsOk());
  }
}

TEST(Merkle, SaysWhatIsWrong) {
  const StoredTree tree = TreeOf(10);
  const std::string old_root = tree.Root(6);
  const std::string new_root = tree.Root(10);
  const std::vector<std::string> proof = tree.Proof(6, 10);
  constexpr auto kLoss = absl::StatusCode::kDataLoss;
  EXPECT_THAT(VerifyMerkleConsistency(6, old_root, 10, new_root, {}), Fails(kLoss, "empty"));
  EXPECT_THAT(VerifyMerkleConsistency(10, new_root, 6, old_root, proof),
              Fails(kLoss, "has 6 entries, and had 10"));
  EXPECT_THAT(VerifyMerkleConsistency(6, old_root, 6, new_root, {}),
              Fails(kLoss, "same size has another root"));
  EXPECT_THAT(VerifyMerkleConsistency(6, old_root, 6, old_root, proof), Fails(kLoss, "none are needed"));
  EXPECT_THAT(VerifyMerkleConsistency(6, old_root, 10, new_root, std::vector<std::string>(65, old_root)),
              Fails(kLoss, "longer than any log"));
  EXPECT_THAT(VerifyMerkleConsistency(6, old_root, 10, new_root, std::vector<std::string>{"short"}),
              Fails(kLoss, "not 32 bytes"));
  EXPECT_THAT(VerifyMerkleConsistency(6, tree.Root(5), 10, new_root, proof), Fails(kLoss, "old root"));
  EXPECT_THAT(VerifyMerkleConsistency(6, old_root, 10, old_root, proof), Fails(kLoss, "new root"));
  EXPECT_THAT(VerifyMerkleConsistency(5, tree.Root(5), 10, new_root, proof), Fails(kLoss, "too short"));
  EXPECT_THAT(MerkleConsistency(11, 10, tree.Reader()).status(), Fails(absl::StatusCode::kOutOfRange, "11"));
  EXPECT_THAT(MerkleRoot(kMaxMerkleSize + 1, tree.Reader()).status(),
              Fails(absl::StatusCode::kOutOfRange, "larger"));
  EXPECT_THAT(MerkleRoot(11, tree.Reader()).status(),
              Fails(kLoss, "no node"));  // a reader's error is passed on
}

TEST(Merkle, CostsTwoNodesAnEntryAndReadsOfTheOrderOfTheLogarithm) {
  constexpr uint64_t kSize = 5'000;
  const StoredTree tree = TreeOf(kSize);
  EXPECT_LE(tree.Nodes(), 2 * kSize);
  EXPECT_LE(tree.TakeReads(), static_cast<int>(kSize));
  std::mt19937_64 random(7);
  for (int i = 0; i < 500; ++i) {
    const uint64_t size = 1 + random() % kSize;
    const uint64_t first = 1 + random() % size;
    EXPECT_LE(tree.Proof(first, size).size(), 14U);
    EXPECT_LE(tree.TakeReads(), 26);
    static_cast<void>(tree.Root(size));
    EXPECT_LE(tree.TakeReads(), 13);
  }
}

}  // namespace
}  // namespace cordon
