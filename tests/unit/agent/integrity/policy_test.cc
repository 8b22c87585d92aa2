#include "agent/integrity/policy.h"

#include <gtest/gtest.h>

namespace cordon::agent {
namespace {

v1::Policy PolicyOf(const std::string& watched, const std::string& excluded = "") {
  v1::Policy policy;
  policy.add_watched_paths(watched);
  if (!excluded.empty()) policy.add_excluded_paths(excluded);
  return policy;
}

TEST(Policy, TheDefaultCanBeCarriedOut) {
  const auto read = ReadPolicy(DefaultPolicy());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_FALSE(read->roots.empty());
  EXPECT_FALSE(read->excluded_patterns.empty());
  EXPECT_EQ(read->canary_homes, platform::FoldersOfPeople()) << "whose folders of documents may come later";
}

TEST(Policy, PathsAreNormalAndPatternsAreKeptApart) {
  v1::Policy policy = PolicyOf("/etc//ssh/", "/home/*/.cache/*");
  policy.add_excluded_paths("/etc/ssh/moduli");
  const auto read = ReadPolicy(policy);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->roots.at(0), "/etc/ssh");
  EXPECT_EQ(read->excluded.at(0), "/etc/ssh/moduli");
  EXPECT_EQ(read->excluded_patterns.at(0), "/home/*/.cache/*");
}

TEST(Policy, WhatCannotBeWatchedIsRefusedByName) {
  for (const char* path : {"", "etc", "/etc/../root", "/home/*"}) {
    const auto read = ReadPolicy(PolicyOf(path));
    EXPECT_FALSE(read.ok()) << path;
    EXPECT_NE(read.status().message().find("watched_paths"), std::string::npos) << read.status();
  }
  EXPECT_FALSE(ReadPolicy(v1::Policy()).ok());
  EXPECT_FALSE(ReadPolicy(PolicyOf("/" + std::string(5000, 'a'))).ok());
  EXPECT_FALSE(ReadPolicy(PolicyOf("/etc", "relative")).ok());
  v1::Policy many;
  for (int i = 0; i < 257; ++i) many.add_watched_paths("/etc");
  EXPECT_FALSE(ReadPolicy(many).ok());
}

TEST(Policy, SensitivePathsAreReadAndRefusedLikeWatchedOnes) {
  v1::Policy policy = PolicyOf("/etc");
  policy.add_sensitive_paths("/srv/clients/");
  const auto read = ReadPolicy(policy);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->sensitive.at(0), "/srv/clients");
  policy.add_sensitive_paths("/srv/*");
  EXPECT_NE(ReadPolicy(policy).status().message().find("sensitive_paths"), std::string::npos);
}

TEST(Policy, CanaryFoldersMustBeWatched) {
  v1::Policy policy = PolicyOf("/srv");
  policy.mutable_tripwires()->add_canary_folders("/srv/clients");
  const auto read = ReadPolicy(policy);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->canary_folders.at(0), "/srv/clients");
  EXPECT_TRUE(read->canary_homes.empty());
  policy.mutable_tripwires()->add_canary_folders("/srvother");
  EXPECT_NE(ReadPolicy(policy).status().message().find("not below a watched path"), std::string::npos);
  policy.mutable_tripwires()->set_off(true);
  EXPECT_TRUE(ReadPolicy(policy)->canary_folders.empty());
}

TEST(Policy, PatternsMatchAsAShellDoesButAcrossFolders) {
  EXPECT_TRUE(MatchesPattern("/home/*/.cache/*", "/home/ann/.cache/x/y"));
  EXPECT_FALSE(MatchesPattern("/home/*/.cache/*", "/home/ann/cache/x"));
  EXPECT_TRUE(MatchesPattern("*.sw?", "/etc/.hosts.swp"));
  EXPECT_TRUE(MatchesPattern("*", ""));
  EXPECT_FALSE(MatchesPattern("?", ""));
  EXPECT_FALSE(MatchesPattern("a*b*c", std::string(10'000, 'a')));
}

}  // namespace
}  // namespace cordon::agent
