#pragma once

#include <absl/status/status.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <functional>
#include <memory>
#include <utility>

#include "common/rpc/status.h"

namespace cordon::agent {

// One bidirectional stream, its callbacks brought from gRPC's threads to the agent loop. All methods and
// events are on the loop; the loop must run until `on_end`, which is the last event and comes exactly once.
// Reads one message at a time: the next one only after `on_message` has returned, so that a slow agent holds
// the controller back.
template <typename Request, typename Response>
class BidiStream final : public grpc::ClientBidiReactor<Request, Response> {
 public:
  struct Events {
    std::function<void(const Response&)> on_message;
    std::function<void()> on_written;  // the stream takes the next Write
    std::function<void(const absl::Status&)> on_end;
  };
  using Open = std::function<void(grpc::ClientContext*, grpc::ClientBidiReactor<Request, Response>*)>;

  // `open` calls the stub's method.
  static std::shared_ptr<BidiStream> Start(boost::asio::io_context& loop, Events events, const Open& open) {
    std::shared_ptr<BidiStream> stream(new BidiStream(loop, std::move(events)));
    stream->self_ = stream;  // until the end
    open(&stream->context_, stream.get());
    stream->AddHold();  // operations are started from outside of gRPC's callbacks
    stream->StartRead(&stream->response_);
    stream->StartCall();
    return stream;
  }

  // One at a time: after Start, or after `on_written`. Does nothing once the stream is closing.
  void Write(Request request) {
    if (closing_) return;
    request_ = std::move(request);
    this->StartWrite(&request_);
  }

  void Cancel() { context_.TryCancel(); }

 private:
  BidiStream(boost::asio::io_context& loop, Events events) : loop_(loop), events_(std::move(events)) {}

  void OnReadDone(bool ok) override {
    boost::asio::post(loop_, [this, ok] {
      if (ok) {
        events_.on_message(response_);
        this->StartRead(&response_);
      } else {
        closing_ = true;
        this->RemoveHold();
      }
    });
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return;  // the read ends too
    boost::asio::post(loop_, [this] {
      if (!closing_) events_.on_written();
    });
  }

  void OnDone(const grpc::Status& status) override {
    boost::asio::post(loop_, [this, status] {
      const std::shared_ptr<BidiStream> last = std::move(self_);
      const Events events = std::move(events_);
      events.on_end(FromGrpcStatus(status));
    });
  }

  boost::asio::io_context& loop_;
  Events events_;
  grpc::ClientContext context_;
  Request request_;
  Response response_;
  bool closing_ = false;
  std::shared_ptr<BidiStream> self_;
};

}  // namespace cordon::agent
