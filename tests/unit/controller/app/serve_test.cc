#include "controller/app/serve.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "controller/app/init.h"
#include "tests/fakes/fake_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_fleet.h"

namespace cordon::controller {
namespace {

namespace fs = std::filesystem;
using testing::Fails;
using testing::Must;
using testing::TempFolder;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

// A made fleet. Each test tries what cannot start; that a good one starts, tests/integration/fleet shows.
struct Fixture {
  TempFolder folder;
  testing::FakeClock clock{WallNowNanos()};
  ServeOptions options{.data = folder / "data", .listen = "127.0.0.1:1"};

  Fixture() {
    Must(InitFleet({.data = options.data,
                    .names = {"127.0.0.1"},
                    .port = 8443,
                    .operator_name = "alex",
                    .operator_out = folder / "alex.operator"},
                   clock));
  }
};

TEST(Serve, AStoreThatThisVersionDoesNotKnowIsRefused) {
  Fixture f;
  f.options.store = "postgresql://db.example/cordon";
  EXPECT_THAT(Serve(f.options), Fails(kInvalid, "--store: 'postgresql://db.example/cordon'"));
}

TEST(Serve, AnAddressThatIsNoneIsRefused) {
  Fixture f;
  for (const char* bad : {"", "8443", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "::1:8443"}) {
    f.options.listen = bad;
    EXPECT_THAT(Serve(f.options), Fails(kInvalid, "--listen")) << bad;
  }
}

TEST(Serve, HostsCertificatesOfNoUsefulLengthAreRefused) {
  Fixture f;
  for (const char* bad : {"", "soon", "30", "59s", "366d"}) {
    f.options.host_certificates = bad;
    EXPECT_THAT(Serve(f.options), Fails(kInvalid, "--host-certificates")) << bad;
  }
}

TEST(Serve, AFolderThatInitDidNotMakeIsTold) {
  Fixture f;
  f.options.data = f.folder / "nothing";
  EXPECT_THAT(Serve(f.options), Fails(absl::StatusCode::kNotFound, "fleet.toml"));
}

TEST(Serve, AMissingStoreIsToldAndNotMade) {
  Fixture f;
  fs::remove(StoreFile(f.options.data));
  EXPECT_THAT(Serve(f.options), Fails(absl::StatusCode::kNotFound, "there is no store"));
  EXPECT_FALSE(fs::exists(StoreFile(f.options.data)));
}

TEST(Serve, ADamagedStoreIsTold) {
  Fixture f;
  std::fstream(StoreFile(f.options.data), std::ios::in | std::ios::out | std::ios::binary)
      << std::string(64, 'x');
  EXPECT_THAT(Serve(f.options), Fails(absl::StatusCode::kDataLoss, "put back the newest backup"));
}

TEST(Serve, AKeyThatOthersCanReadIsRefused) {
  Fixture f;
  fs::permissions(PkiFolder(f.options.data) / "ca.key", fs::perms::others_read, fs::perm_options::add);
  EXPECT_THAT(Serve(f.options), Fails(absl::StatusCode::kFailedPrecondition, "chmod 600"));
}

// An address that is not this machine's (RFC 5737).
TEST(Serve, AnAddressThatCannotBeListenedOnIsTold) {
  Fixture f;
  f.options.listen = "192.0.2.1:8443";
  EXPECT_THAT(Serve(f.options), Fails(absl::StatusCode::kUnavailable, "192.0.2.1:8443"));
}

}  // namespace
}  // namespace cordon::controller
