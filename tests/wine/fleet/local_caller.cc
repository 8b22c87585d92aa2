#include "tests/wine/fleet/local_caller.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>

#include <chrono>
#include <fstream>
#include <future>

#include "common/base/strings.h"

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
  grpc::GenericStub stub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  if (with_secret) context.AddMetadata("cordon-local-secret", secret);
  const grpc::Slice slice(request);
  const grpc::ByteBuffer bytes(&slice, 1);
  grpc::ByteBuffer answer;
  std::promise<grpc::Status> done;
  stub.UnaryCall(&context, method, grpc::StubOptions(), &bytes, &answer,
                 [&](const grpc::Status& status) { done.set_value(status); });
  const grpc::Status status = done.get_future().get();
  if (!status.ok()) return StrCat("error ", static_cast<int>(status.error_code()));
  grpc::Slice whole;
  return answer.DumpToSingleSlice(&whole).ok() ? std::string(whole.begin(), whole.end()) : "no answer";
}

}  // namespace cordon::testing
