#pragma once

// Calls that stock tools make (grpc-health-probe, grpcurl), by their bytes: without their stubs.

#include <google/protobuf/unknown_field_set.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/impl/rpc_method.h>
#include <grpcpp/support/sync_stream.h>

#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

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

// The messages that `method` answers with until `time` has passed.
inline std::vector<std::string> WatchByBytes(const std::shared_ptr<grpc::Channel>& channel,
                                             const std::string& method, const std::string& request,
                                             std::chrono::milliseconds time) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + time);
  const grpc::Slice slice(request);
  const grpc::ByteBuffer bytes(&slice, 1);
  const grpc::internal::RpcMethod rpc(method.c_str(), grpc::internal::RpcMethod::SERVER_STREAMING);
  const std::unique_ptr<grpc::ClientReader<grpc::ByteBuffer>> reader(
      grpc::internal::ClientReaderFactory<grpc::ByteBuffer>::Create(channel.get(), rpc, &context, bytes));
  std::vector<std::string> answers;
  for (grpc::ByteBuffer answer; reader->Read(&answer); answer.Clear()) {
    grpc::Slice whole;
    if (answer.DumpToSingleSlice(&whole).ok()) answers.emplace_back(whole.begin(), whole.end());
  }
  static_cast<void>(reader->Finish());
  return answers;
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
