#pragma once

// A copy of this system to install packages in: an overlay over / in a mount namespace of its own, in the
// network of a fleet's host. Programs run in it one by one, or it is booted: then its own systemd is PID 1
// and runs the units as they are shipped. Everything of it is gone with the object.

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/subprocess.h"

namespace cordon::testing {

class CopiedSystem {
 public:
  static constexpr std::chrono::minutes kPatience{3};

  // `folder` is made; `shared` is /mnt in it. Throws std::runtime_error when it cannot be made.
  CopiedSystem(std::filesystem::path folder, const std::filesystem::path& shared, std::string net_namespace);
  ~CopiedSystem();
  CopiedSystem(const CopiedSystem&) = delete;
  CopiedSystem& operator=(const CopiedSystem&) = delete;

  // A program of it, in the host's network. Once it is booted, as one of its own processes.
  std::unique_ptr<Subprocess> Start(std::vector<std::string> args) const;
  CommandResult Run(std::vector<std::string> args) const;
  CommandResult Shell(const std::string& script) const { return Run({"sh", "-c", script}); }

  // Why systemd cannot be PID 1 of it here; empty when it can.
  static std::string CannotBoot();
  // Starts systemd with the system's units but without those that this machine's administrator has enabled,
  // and waits until it has started what it wants. Throws.
  void Boot();
  // As when the power is cut: every process ends at once. The disk stays, and the network with its rules.
  void PowerOff();
  std::string Console() const { return init_ ? init_->Output() + init_->Errors() : ""; }

 private:
  std::vector<std::string> Inside(std::vector<std::string> args) const;
  void LeaveControlGroups() const;

  const std::filesystem::path folder_;
  const std::string net_namespace_;
  const std::string control_group_;
  std::unique_ptr<Subprocess> holder_;  // of the mounts
  std::unique_ptr<Subprocess> init_;    // `unshare`, whose child is systemd
  pid_t systemd_ = 0;                   // 0 = not booted
};

}  // namespace cordon::testing
