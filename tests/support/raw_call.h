#pragma once

// Calls that stock tools make (grpc-health-probe, grpcurl), by their bytes: without their stubs.

#include <google/protobuf/unknown_field_set.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>

#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <set>
#include <string>

namespace cordon::testing {

// The first message that `method` answers with, or "error N". `metadata`: sent with the call.
inline std::string CallByBytes(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                               const std::string& request,
                               const std::map<std::string, std::string>& metadata = {},
                               std::chrono::seconds timeout = std::chrono::seconds(20)) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  for (const auto& [key, value] : metadata) context.AddMetadata(key, value);
  context.set_deadline(std::chrono::system_clock::now() + timeout);
  const grpc::Slice slice(request);
  const grpc::ByteBuffer bytes(&slice, 1);
  grpc::ByteBuffer answer;
  std::promise<grpc::Status> done;
  stub.UnaryCall(&context, method, grpc::StubOptions(), &bytes, &answer,
                 [&](const grpc::Status& status) { done.set_value(status); });
  const grpc::Status status = done.get_future().get();
  if (!status.ok()) return "error " + std::to_string(status.error_code());
  grpc::Slice whole;
  return answer.DumpToSingleSlice(&whole).ok() ? std::string(whole.begin(), whole.end()) : "no answer";
}

// "\x08\x01" = SERVING.
inline std::string AskHealth(const std::shared_ptr<grpc::Channel>& channel) {
  return CallByBytes(channel, "/grpc.health.v1.Health/Check", "");
}

// The services that reflection lists: list_services_response (6) . service (1) . name (1).
inline std::set<std::string> ListServices(const std::shared_ptr<grpc::Channel>& channel) {
  const std::string list_services("\x3a\x00", 2);
  const std::string answer =
      CallByBytes(channel, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", list_services);
  std::set<std::string> names;
  google::protobuf::UnknownFieldSet response;
  response.ParseFromString(answer);
  for (int i = 0; i < response.field_count(); ++i) {
    if (response.field(i).number() != 6) continue;
    google::protobuf::UnknownFieldSet services;
    services.ParseFromString(response.field(i).length_delimited());
    for (int s = 0; s < services.field_count(); ++s) {
      google::protobuf::UnknownFieldSet service;
      service.ParseFromString(services.field(s).length_delimited());
      if (service.field_count() > 0) names.insert(service.field(0).length_delimited());
    }
  }
  return names;
}

}  // namespace cordon::testing
