#pragma once

#include <absl/status/status.h>

#include <boost/asio/io_context.hpp>
#include <functional>

#include "common/base/network.h"

namespace cordon::agent {

// Asks `at` over UDP, from an ordinary socket, for a name that no profile lists and that is nobody's (RFC
// 6761). `done` once, on the loop and never from inside: OK when the answer is the guard's, which refuses;
// otherwise what came instead of it within two seconds. Not at all when the loop ends first.
void AskAtGuard(boost::asio::io_context& loop, const Endpoint& at, std::function<void(absl::Status)> done);

}  // namespace cordon::agent
