// Whatever happened to a tree under watch: the last that is told of each path is what is there.

#include <gtest/gtest.h>

#include <fstream>
#include <iostream>
#include <map>

#include "common/crypto/digest.h"
#include "tests/integration/files/watched_folder.h"
#include "tests/support/fleet.h"
#include "tests/support/soak.h"

namespace cordon::agent {
namespace {

using cordon::testing::Eventually;

// By path: the digest of a file's content; "folder" for a folder.
using Tree = std::map<std::string, std::string>;

class FinalState : public WatchedFolder {
 protected:
  void SetUp() override {
    WatchedFolder::SetUp();
    if (IsSkipped()) return;
    const int files = cordon::testing::StormCount(3'000, 50'000);
    for (int i = 0; i < files; ++i) {
      const std::filesystem::path inner = elsewhere_ / "tree" / std::to_string(i / 100);
      if (i % 100 == 0) std::filesystem::create_directories(inner);
      std::ofstream(inner / std::to_string(i))
          << std::string(1'000 + static_cast<size_t>(i * 7'919LL % 15'000), 'a') << i;
    }
    Shell("tar -C " + elsewhere_.Path().string() + " -cf " + Archive() + " tree");
    Start();
  }
  std::string Archive() const { return (elsewhere_ / "tree.tar").string(); }

  Tree There() const {
    Tree tree;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.Path())) {
      std::ifstream file(entry.path());
      tree[entry.path().string()] =
          entry.is_directory() ? "folder" : Sha256(std::string{std::istreambuf_iterator<char>(file), {}});
    }
    return tree;
  }

  // All of `tree` at or below `path` is taken out of it.
  static Tree TakeBelow(const std::string& path, Tree* tree) {
    Tree taken;
    for (auto at = tree->lower_bound(path); at != tree->end() && at->first.starts_with(path);) {
      const bool below = at->first.size() == path.size() || at->first[path.size()] == '/';
      auto next = std::next(at);
      if (below) taken.insert(tree->extract(at));
      at = next;
    }
    return taken;
  }

  Tree Told() const {
    Tree tree;
    for (const auto& recorded : sink_.Events()) {
      const v1::FileChanged& change = recorded.event.file_changed();
      if (change.change() == v1::FileChanged::CHANGE_DELETED) TakeBelow(change.path(), &tree);
      if (change.change() == v1::FileChanged::CHANGE_RENAMED) {
        for (auto& [path, content] : TakeBelow(change.old_path(), &tree))
          tree[change.path() + path.substr(change.old_path().size())] = content;
      }
      if (!change.has_state()) continue;
      tree[change.path()] =
          change.state().type() == v1::FileState::TYPE_DIRECTORY ? "folder" : change.state().sha256();
    }
    return tree;
  }
};

TEST_F(FinalState, TEL1_TheLastThatIsToldOfEachPathIsWhatIsThere) {
  Shell("tar -xf " + Archive());
  Shell("rm -rf tree/1 tree/3 tree/5*");
  Shell("mv tree/2 tree/moved && mv tree/moved/299 tree/moved/renamed");
  Shell("for file in tree/4/*; do echo more >> $file; done");
  Shell("mkdir tree/1 && cp tree/4/400 tree/1/400 && mv tree/6/600 tree/1/100");
  const Tree there = There();
  EXPECT_TRUE(Eventually([&] { return Told() == there; }, std::chrono::minutes(3)));
  sensor_.Stop();
  const Tree told = Told();
  EXPECT_EQ(told.size(), there.size());
  for (const auto& [path, content] : there) {
    const auto at = told.find(path);
    ASSERT_TRUE(at != told.end()) << path << " was not told";
    EXPECT_EQ(at->second, content) << path;
  }
  for (const auto& recorded : sink_.Events()) EXPECT_FALSE(recorded.event.has_gap());
  std::cout << there.size() << " files and folders stand as they were told\n";
}

}  // namespace
}  // namespace cordon::agent
