#include "agent/link/resolver.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <mutex>
#include <set>
#include <system_error>
#include <thread>
#include <utility>

#include "common/base/status.h"
#include "common/base/text.h"

namespace cordon::agent {

absl::StatusOr<std::vector<boost::asio::ip::address>> SystemLookup(const std::string& name) {
  boost::asio::io_context context;
  boost::asio::ip::tcp::resolver resolver(context);
  boost::system::error_code error;
  std::vector<boost::asio::ip::address> addresses;
  for (const auto& entry : resolver.resolve(name, "", error)) addresses.push_back(entry.endpoint().address());
  if (error) return absl::UnavailableError(StrCat("cannot resolve ", Printable(name), ": ", error.message()));
  return addresses;
}

struct Resolver::Shared {
  std::mutex mutex;
  boost::asio::io_context* loop;  // nullptr once the resolver is gone
  Lookup lookup;
  std::set<std::string> under_way;
};

Resolver::Resolver(boost::asio::io_context& loop, Lookup lookup) : shared_(std::make_shared<Shared>()) {
  shared_->loop = &loop;
  shared_->lookup = std::move(lookup);
}

Resolver::~Resolver() {
  const std::lock_guard lock(shared_->mutex);
  shared_->loop = nullptr;
}

void Resolver::Resolve(const std::string& name, Done done) {
  {
    const std::lock_guard lock(shared_->mutex);
    if (!shared_->under_way.insert(name).second) return;
  }
  // Detached on purpose: getaddrinfo cannot be cancelled. What the thread touches is kept by `shared`.
  const auto answer = [shared = shared_, name, done = std::move(done)](auto result) {
    const std::lock_guard lock(shared->mutex);
    shared->under_way.erase(name);
    if (shared->loop == nullptr) return;
    boost::asio::post(*shared->loop, [shared, done, result = std::move(result)]() mutable {
      {
        const std::lock_guard alive(shared->mutex);
        if (shared->loop == nullptr) return;
      }
      done(std::move(result));
    });
  };
  try {
    std::thread([shared = shared_, name, answer] { answer(shared->lookup(name)); }).detach();
  } catch (const std::system_error& error) {  // the host is out of processes; the next dial asks again
    answer(decltype(shared_->lookup(name))(absl::ResourceExhaustedError(
        StrCat("cannot look up ", Printable(name), ": no thread can be started (", error.what(), ")"))));
  }
}

}  // namespace cordon::agent
