#include "agent/process/container_id.h"

#include <gtest/gtest.h>

#include <string>

namespace cordon::agent {
namespace {

const std::string kId(64, 'a');

TEST(ContainerId, IsFoundAsTheRuntimesNameIt) {
  EXPECT_EQ(ContainerIdOf("/docker/" + kId), kId);
  EXPECT_EQ(ContainerIdOf("/system.slice/docker-" + kId + ".scope"), kId);
  EXPECT_EQ(ContainerIdOf("/kubepods.slice/pod12/cri-containerd-" + kId + ".scope"), kId);
  EXPECT_EQ(ContainerIdOf("/machine.slice/libpod-" + kId + ".scope/container"), kId);
}

TEST(ContainerId, IsTheInnermostOne) {
  const std::string inner(64, 'b');
  EXPECT_EQ(ContainerIdOf("/docker/" + kId + "/docker/" + inner), inner);
}

TEST(ContainerId, IsEmptyForEverythingElse) {
  for (const std::string& path : {std::string(), std::string("/"), std::string("/user.slice/user-1000.slice"),
                                  "/docker/" + kId.substr(1), "/docker/" + kId + "a", "/docker/x" + kId,
                                  "/docker/" + std::string(64, 'g')}) {
    EXPECT_EQ(ContainerIdOf(path), "") << path;
  }
}

}  // namespace
}  // namespace cordon::agent
