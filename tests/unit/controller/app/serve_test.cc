#include "controller/app/serve.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <optional>
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
using testing::IsOk;
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

// What no host could work with, or what bounds nothing, and what is within.
TEST(Serve, BudgetsOutOfBoundsAreRefused) {
  struct Bounds {
    const char* flag;
    std::optional<uint32_t> ServeOptions::* option;
    uint32_t least;
    uint32_t most;
  };
  for (const Bounds& bounds : {
           Bounds{"--host-bytes", &ServeOptions::host_bytes_per_second, 65'536, 1U << 30U},
           Bounds{"--host-events", &ServeOptions::host_events_per_second, 100, 10'000'000},
           Bounds{"--host-openings", &ServeOptions::host_openings_per_hour, 60, 1'000'000},
           Bounds{"--host-renewals", &ServeOptions::host_renewals_per_hour, 6, 1'000'000},
           Bounds{"--host-chains", &ServeOptions::host_chains_per_hour, 1, 1'000'000},
       }) {
    Fixture f;
    for (const uint32_t bad : {0U, bounds.least - 1, bounds.most + 1, UINT32_MAX}) {
      f.options.*bounds.option = bad;
      EXPECT_THAT(Serve(f.options), Fails(kInvalid, StrCat(bounds.flag, ": ", bad))) << bad;
    }
    for (const uint32_t good : {bounds.least, bounds.most}) {
      f.options.*bounds.option = good;
      EXPECT_THAT(HostLimitsOf(f.options), IsOk()) << bounds.flag << " " << good;
    }
  }
}

// A budget that a good host's own renewals would go beyond.
TEST(Serve, FewerRenewalsThanCertificatesNeedAreRefused) {
  ServeOptions options{.host_certificates = "1m", .host_renewals_per_hour = 119};
  EXPECT_THAT(HostLimitsOf(options), Fails(kInvalid, "less than the 120 an hour"));
  EXPECT_THAT(Serve(options), Fails(kInvalid, "--host-renewals"));
  options.host_renewals_per_hour = 120;
  EXPECT_THAT(HostLimitsOf(options), IsOk());
}

TEST(Serve, BudgetsKeepTheProportionOfTheirBursts) {
  const HostLimits usual = Must(HostLimitsOf({}));
  EXPECT_EQ(usual.openings.burst, HostLimits().openings.burst) << "what nobody asked for stays";
  const HostLimits limits = Must(HostLimitsOf({.host_bytes_per_second = 4U << 20U,
                                               .host_events_per_second = 40'000,
                                               .host_openings_per_hour = 60,
                                               .host_renewals_per_hour = 6,
                                               .host_chains_per_hour = 40}));
  EXPECT_DOUBLE_EQ(limits.bytes.burst, usual.bytes.burst / 2);
  EXPECT_DOUBLE_EQ(limits.events.burst, usual.events.burst * 2);
  EXPECT_DOUBLE_EQ(limits.openings.per_second, 60.0 / 3'600);
  EXPECT_DOUBLE_EQ(limits.openings.burst, 10);
  EXPECT_DOUBLE_EQ(limits.renewals.per_second, 6.0 / 3'600);
  EXPECT_NEAR(limits.renewals.burst, 1, 1e-9);
  EXPECT_TRUE(TokenBucket(limits.renewals, 0).Take(1, 0)) << "one at least can be had";
  EXPECT_DOUBLE_EQ(limits.chains.per_second, 40.0 / 3'600);
  EXPECT_DOUBLE_EQ(limits.chains.burst, 40);
  EXPECT_EQ(limits.messages.per_second, usual.messages.per_second);
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
