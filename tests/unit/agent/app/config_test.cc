#include "agent/app/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <random>

#include "common/base/status.h"
#include "platform/api/files.h"
#include "tests/support/build_paths.h"
#include "tests/support/temp_folder.h"

namespace cordon::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const Environment kNothing = [](const char*) -> const char* { return nullptr; };

TEST(AgentConfig, TheExampleHoldsTheDefaults) {
  const auto path = std::filesystem::path(testing::kSourceDir) / "docs/examples/agent.toml";
  const auto example = ParseConfig(*platform::ReadFileBounded(path, 1 << 20), path.string());
  ASSERT_TRUE(example.ok()) << example.status();
  const AgentConfig defaults;
  EXPECT_EQ(example->state_dir, defaults.state_dir);
  EXPECT_EQ(example->Socket(), defaults.Socket());
  EXPECT_EQ(example->log_level, defaults.log_level);
  EXPECT_EQ(example->process_source, defaults.process_source);
  EXPECT_EQ(example->spool_max_bytes, defaults.spool_max_bytes);
  EXPECT_EQ(example->spool_max_age_nanos, defaults.spool_max_age_nanos);
  EXPECT_EQ(example->boot_hold_nanos, defaults.boot_hold_nanos);
  EXPECT_EQ(example->flows_enabled, defaults.flows_enabled);
  EXPECT_EQ(example->flows_days, defaults.flows_days);
  EXPECT_EQ(example->flows_tell, defaults.flows_tell);
  EXPECT_EQ(example->fold_bursts, defaults.fold_bursts);
}

TEST(AgentConfig, EverySettingIsRead) {
  const auto config = ParseConfig(R"(
[agent]
state_dir = "/srv/state"
socket = "/srv/a.sock"
host_name = "front-desk"
log_level = "debug"
[watch]
paths = ["/srv/pms", "/etc"]
excluded = ["*.tmp"]
[process]
source = "ebpf"
fold_bursts = 0
[spool]
max_mib = 32
max_age = "2h"
[isolation]
hold_until_connected_s = 0
[flows]
enabled = false
tell = false
days = 3
)",
                                  "a.toml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->state_dir, "/srv/state");
  EXPECT_EQ(config->Socket(), "/srv/a.sock");
  EXPECT_EQ(config->host_name, "front-desk");
  EXPECT_THAT(config->watched_paths, ElementsAre("/srv/pms", "/etc"));
  EXPECT_THAT(config->excluded_paths, ElementsAre("*.tmp"));
  EXPECT_EQ(config->process_source, "ebpf");
  EXPECT_EQ(config->spool_max_bytes, 32U << 20);
  EXPECT_FALSE(config->flows_enabled);
  EXPECT_FALSE(config->flows_tell);
  EXPECT_EQ(config->flows_days, 3);
  EXPECT_EQ(config->fold_bursts, 0);
  EXPECT_EQ(config->spool_max_age_nanos, 7'200'000'000'000);
  EXPECT_EQ(config->boot_hold_nanos, 0);
}

struct BadCase {
  const char* name;
  const char* text;
  const char* message;  // all of it
};

class BadConfig : public ::testing::TestWithParam<BadCase> {};

TEST_P(BadConfig, IsRefusedWithFileAndLine) {
  const auto config = ParseConfig(GetParam().text, "a.toml");
  EXPECT_TRUE(absl::IsInvalidArgument(config.status()));
  EXPECT_THAT(std::string(Message(config.status())), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    AllFields, BadConfig,
    ::testing::Values(
        BadCase{"Syntax", "[agent]\nstate_dir = ", "a.toml:2: "},
        BadCase{"UnknownSection", "\n[agnet]\n", "a.toml:2: unknown setting agnet"},
        BadCase{"UnknownKey", "[agent]\nstatedir = \"/x\"\n", "a.toml:2: unknown setting agent.statedir"},
        BadCase{"SectionIsAValue", "agent = 1\n", "a.toml:1: agent must be a section"},
        BadCase{"RelativeStateDir", "[agent]\nstate_dir = \"x\"\n",
                "a.toml:2: agent.state_dir must be an absolute path"},
        BadCase{"WrongType", "[agent]\n\nhost_name = 7\n",
                "a.toml:3: agent.host_name must be text in quotes"},
        BadCase{"Empty", "[agent]\nhost_name = \"\"\n", "a.toml:2: agent.host_name must be 1 to 253 bytes"},
        BadCase{"ControlCharacters", "[agent]\nhost_name = \"a\\u0007\"\n",
                "a.toml:2: agent.host_name must be 1 to"},
        BadCase{"UnknownLevel", "[agent]\nlog_level = \"loud\"\n", "must be debug, info, warn or error"},
        BadCase{"PathsNotAList", "[watch]\npaths = \"/etc\"\n", "a.toml:2: watch.paths must be a list"},
        BadCase{"PathsOfNumbers", "[watch]\npaths = [\"/etc\",\n 3]\n",
                "a.toml:3: watch.paths must be a list of texts"},
        BadCase{"RelativePath", "[watch]\npaths = [\"etc\"]\n",
                "a.toml:2: watch.paths must be absolute paths"},
        BadCase{"UnknownSource", "[process]\nsource = \"magic\"\n", "must be auto, ebpf or proc-connector"},
        BadCase{"FoldNegative", "[process]\nfold_bursts = -1\n",
                "a.toml:2: process.fold_bursts must be 0 to 1000000"},
        BadCase{"FlowsTooLong", "[flows]\ndays = 91\n", "a.toml:2: flows.days must be 1 to 90"},
        BadCase{"FlowsNoSwitch", "[flows]\nenabled = 1\n", "a.toml:2: flows.enabled must be true or false"},
        BadCase{"SpoolTooSmall", "[spool]\nmax_mib = 1\n", "a.toml:2: spool.max_mib must be 16 to 65536"},
        BadCase{"SpoolNegative", "[spool]\nmax_mib = -1\n", "a.toml:2: spool.max_mib must be 16 to 65536"},
        BadCase{"HoldTooLong", "[isolation]\nhold_until_connected_s = 3600\n",
                "a.toml:2: isolation.hold_until_connected_s"},
        BadCase{"BadAge", "[spool]\nmax_age = \"soon\"\n", "a.toml:2: spool.max_age: "}),
    [](const auto& test) { return test.param.name; });

TEST(AgentConfig, TooManyPathsAreRefused) {
  std::string text = "[watch]\npaths = [";
  for (int i = 0; i < 257; ++i) text += "\"/x\",";
  EXPECT_TRUE(absl::IsInvalidArgument(ParseConfig(text + "]\n", "a.toml").status()));
}

TEST(AgentConfig, RandomBytesGiveAnErrorAndNoHarm) {
  std::mt19937 random(7);
  for (int i = 0; i < 2'000; ++i) {
    std::string text(1 + random() % 200, '\0');
    for (char& byte : text) byte = static_cast<char>(random());
    const auto config = ParseConfig("[" + text, "a.toml");
    EXPECT_TRUE(absl::IsInvalidArgument(config.status()));
  }
}

TEST(AgentConfig, AFlagWinsOverTheEnvironmentAndThatOverTheFile) {
  const testing::TempFolder folder;
  std::ofstream(folder / "a.toml")
      << "[agent]\nstate_dir = \"/file\"\nlog_level = \"warn\"\nhost_name = \"file\"\n";
  std::map<std::string, std::string> variables = {{"CORDON_CONFIG", (folder / "a.toml").string()}};
  const Environment environment = [&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
  EXPECT_EQ(LoadConfig({}, environment)->state_dir, "/file");
  variables["CORDON_STATE_DIR"] = "/environment";
  variables["CORDON_HOST_NAME"] = "environment";
  const auto config = LoadConfig({.state_dir = "/flag"}, environment);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->state_dir, "/flag");
  EXPECT_EQ(config->Socket(), "/flag/agent.sock");
  EXPECT_EQ(config->host_name, "environment");
  EXPECT_EQ(config->log_level, "warn");
  variables["CORDON_LOG_LEVEL"] = "loud";
  EXPECT_TRUE(absl::IsInvalidArgument(LoadConfig({}, environment).status()));
}

TEST(AgentConfig, AFileThatWasAskedForMustExist) {
  EXPECT_FALSE(LoadConfig({.config_file = "/nonexistent/agent.toml"}, kNothing).ok());
}

TEST(AgentConfig, ASocketPathThatTheSystemCannotTakeIsRefused) {
  const auto config = LoadConfig({.state_dir = "/" + std::string(120, 'x')}, kNothing);
  EXPECT_THAT(std::string(Message(config.status())), HasSubstr("longer than"));
}

}  // namespace
}  // namespace cordon::agent
