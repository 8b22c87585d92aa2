#include "tests/wine/fleet/local_caller.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <fstream>
#include <map>

#include "common/base/strings.h"
#include "tests/support/raw_call.h"

namespace cordon::testing {

std::string LocalCaller::Health(const std::string& part) const {
  const std::string name =
      part.empty() ? "" : StrCat("\x0a", std::string(1, static_cast<char>(part.size())), part);
  return Call("/grpc.health.v1.Health/Check", name, false);
}

std::string LocalCaller::Status(bool with_secret) const {
  return Call("/cordon.v1.LocalAgent/GetStatus", "", with_secret);
}

std::string LocalCaller::Call(const std::string& method, const std::string& request, bool with_secret) const {
  std::ifstream file(door_);
  std::string title;
  std::string address;
  std::string secret;
  std::getline(file, title);
  std::getline(file, address);
  std::getline(file, secret);
  std::map<std::string, std::string> metadata;
  if (with_secret) metadata["cordon-local-secret"] = secret;
  return CallByBytes(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()), method, request,
                     metadata);
}

}  // namespace cordon::testing
