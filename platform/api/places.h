#pragma once

// Where things of the agent stand on this system unless somebody says otherwise, and how programs on this
// host reach the agent.

#include <absl/status/statusor.h>

#include <filesystem>
#include <memory>
#include <string>

namespace cordon::platform {

struct Places {
  std::filesystem::path config_file;
  std::filesystem::path state_folder;
  std::filesystem::path socket;  // see LocalDoor
  std::string executable;        // this program, as it can be started again
};
Places DefaultPlaces();

// A gRPC address of the agent on this host. `secret` is empty where the system itself keeps strangers out;
// else a caller must show it.
struct LocalAddress {
  std::string address;
  std::string secret;
};

// The agent's end. `path` is what people name: on Linux the Unix socket itself, for its owner alone; on
// Windows, whose gRPC has none, a file for its owner alone with the loopback port and a secret of this run.
class LocalDoor {
 public:
  virtual ~LocalDoor() = default;  // takes away what stands at `path`

  // Where gRPC shall listen.
  virtual LocalAddress Address() const = 0;
  // Makes it known, once gRPC listens (`port` as it told; 0 for an address without one). In one step: whoever
  // looks meanwhile finds the one before or this.
  virtual absl::Status Open(int port) = 0;
};

// ALREADY_EXISTS when something else stands at `path`.
absl::StatusOr<std::unique_ptr<LocalDoor>> MakeLocalDoor(const std::filesystem::path& path);

// The callers' end. UNAVAILABLE when nothing stands at `path`.
absl::StatusOr<LocalAddress> FindLocalDoor(const std::filesystem::path& path);

}  // namespace cordon::platform
