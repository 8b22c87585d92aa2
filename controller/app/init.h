#pragma once

// `cordon-controller init`: a fleet out of nothing.

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "common/base/clock.h"

namespace cordon::controller {

struct InitOptions {
  std::filesystem::path data;      // made; must not exist, or be empty
  std::vector<std::string> names;  // DNS names and IP addresses that hosts reach the controller by; 1 to 8
  uint16_t port = 8443;
  std::string operator_name;           // the first operator, who may order everything
  std::filesystem::path operator_out;  // the operator's identity file; must not exist
  std::string passphrase;              // seals the operator's keys; empty = they stay open
};

struct InitResult {
  std::string fleet_id;
  std::string operator_id;
  std::vector<std::string> controllers;  // "host:port"
};

// Makes the CA, the store with trust bundle version 1, and the first operator's identity: private keys in a
// file for its owner alone, which belongs on the operator's machine and not beside the controller (AUT-3). On
// an error nothing is left behind. ALREADY_EXISTS: `data` is in use, or `operator_out` is there;
// INVALID_ARGUMENT names the field.
absl::StatusOr<InitResult> InitFleet(const InitOptions& options, const Clock& clock);

// The parts of a controller's data folder.
std::filesystem::path PkiFolder(const std::filesystem::path& data);
std::filesystem::path StoreFile(const std::filesystem::path& data);

// "name:port" as enrolment files carry it; IPv6 addresses in brackets.
std::string ControllerAddress(const std::string& name, uint16_t port);

}  // namespace cordon::controller
