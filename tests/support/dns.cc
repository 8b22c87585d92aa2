#include "tests/support/dns.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace cordon::testing {
namespace {

using platform::Fd;

constexpr int kWholeMessageMillis = 2'000;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);
  sockaddr* Get() { return reinterpret_cast<sockaddr*>(&storage); }
};

SocketAddress Make(const std::string& text, uint16_t port) {
  SocketAddress address;
  const auto parsed = boost::asio::ip::make_address(text);
  if (parsed.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    inet_pton(AF_INET, text.c_str(), &v4.sin_addr);
    address.size = sizeof(v4);
    std::memcpy(&address.storage, &v4, sizeof(v4));
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr);
    address.size = sizeof(v6);
    std::memcpy(&address.storage, &v6, sizeof(v6));
  }
  return address;
}

Fd Socket(const NetNamespace& in, int family, int type) {
  const InNetNamespace inside(in);
  Fd fd(socket(family, type | SOCK_CLOEXEC, 0));
  if (!fd.Valid()) throw std::runtime_error("cannot make a socket");
  const int one = 1;
  setsockopt(fd.Get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  return fd;
}

bool Readable(const Fd& fd, int millis) {
  pollfd wait{fd.Get(), POLLIN, 0};
  return poll(&wait, 1, millis) == 1;
}

// A message behind its length, as DNS over TCP has it; empty when it does not come whole.
std::string ReadMessage(const Fd& fd, int millis) {
  std::string bytes;
  std::array<char, 4'096> piece{};
  while (Readable(fd, millis)) {
    const ssize_t got = recv(fd.Get(), piece.data(), piece.size(), 0);
    if (got <= 0) return {};
    bytes.append(piece.data(), static_cast<size_t>(got));
    if (bytes.size() < 2) continue;
    const size_t length = size_t{static_cast<uint8_t>(bytes[0])} << 8U | static_cast<uint8_t>(bytes[1]);
    if (bytes.size() >= length + 2) return bytes.substr(2, length);
  }
  return {};
}

void SendMessage(const Fd& fd, const std::string& message) {
  const std::string whole = Number16(static_cast<unsigned>(message.size())) + message;
  send(fd.Get(), whole.data(), whole.size(), MSG_NOSIGNAL);
}

unsigned At(const std::string& bytes, size_t at) {
  if (at + 1 >= bytes.size()) return 0;
  return static_cast<unsigned>(static_cast<uint8_t>(bytes[at])) << 8U | static_cast<uint8_t>(bytes[at + 1]);
}

// The name at `*at`, which moves behind it; pointers are not followed.
std::string ReadName(const std::string& bytes, size_t* at) {
  std::string name;
  while (*at < bytes.size()) {
    const auto length = static_cast<uint8_t>(bytes[*at]);
    if (length >= 0xc0U) {
      *at += 2;
      return name;
    }
    *at += 1;
    if (length == 0) return name;
    for (size_t i = 0; i < length && *at + i < bytes.size(); ++i)
      name += static_cast<char>(std::tolower(static_cast<uint8_t>(bytes[*at + i])));
    *at += length;
    if (*at < bytes.size() && bytes[*at] != 0) name += '.';
  }
  return name;
}

std::string AddressText(const std::string& data) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(data.size() == 4 ? AF_INET : AF_INET6, data.data(), text.data(), text.size());
  return text.data();
}

DnsReply Read(const std::string& bytes) {
  DnsReply reply;
  if (bytes.size() < 12) return reply;
  reply.came = true;
  reply.bytes = bytes;
  reply.code = static_cast<int>(At(bytes, 2) & 0xfU);
  reply.truncated = (At(bytes, 2) & 0x200U) != 0;
  size_t at = 12;
  if (At(bytes, 4) == 1) {
    ReadName(bytes, &at);
    at += 4;
  }
  for (unsigned left = At(bytes, 6); left > 0 && at < bytes.size(); --left) {
    ReadName(bytes, &at);
    const unsigned type = At(bytes, at);
    const unsigned size = At(bytes, at + 8);
    if ((type == kTypeA && size == 4) || (type == kTypeAaaa && size == 16))
      reply.addresses.insert(AddressText(bytes.substr(at + 10, size)));
    at += 10 + size;
  }
  return reply;
}

}  // namespace

DnsServer::DnsServer(const NetNamespace& at, const std::string& address) {
  SocketAddress own = Make(address, 53);
  udp_ = Socket(at, own.storage.ss_family, SOCK_DGRAM);
  tcp_ = Socket(at, own.storage.ss_family, SOCK_STREAM);
  if (bind(udp_.Get(), own.Get(), own.size) != 0 || bind(tcp_.Get(), own.Get(), own.size) != 0 ||
      listen(tcp_.Get(), 16) != 0) {
    throw std::runtime_error("cannot serve DNS at " + address);
  }
  std::array<int, 2> ends{};
  // Not for children: one that held an end would keep the thread.
  if (pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  stop_read_ = Fd(ends[0]);
  stop_write_ = Fd(ends[1]);
  thread_ = std::thread([this] { Serve(); });
}

DnsServer::~DnsServer() {
  stop_write_ = Fd();
  thread_.join();
}

void DnsServer::Says(const std::string& name, const std::vector<std::string>& addresses, uint32_t ttl) {
  const std::lock_guard lock(mutex_);
  records_[name] = {.addresses = addresses, .alias = {}, .ttl = ttl};
}

void DnsServer::Aliases(const std::string& name, const std::string& target, uint32_t ttl) {
  const std::lock_guard lock(mutex_);
  records_[name] = {.addresses = {}, .alias = target, .ttl = ttl};
}

void DnsServer::FallSilent(bool silent) {
  const std::lock_guard lock(mutex_);
  silent_ = silent;
}

void DnsServer::TruncateAbove(size_t records) {
  const std::lock_guard lock(mutex_);
  truncate_above_ = records;
}

void DnsServer::SendFirst(
    std::function<std::vector<std::string>(uint16_t, const std::string&, uint16_t)> lies) {
  const std::lock_guard lock(mutex_);
  lies_ = std::move(lies);
}

std::vector<std::string> DnsServer::Asked() const {
  const std::lock_guard lock(mutex_);
  return asked_;
}

size_t DnsServer::AskedByTcp() const {
  const std::lock_guard lock(mutex_);
  return asked_by_tcp_;
}

std::string DnsServer::AllBytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

bool DnsServer::WasAsked(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  return std::find(asked_.begin(), asked_.end(), name) != asked_.end();
}

void DnsServer::Serve() {
  while (true) {
    std::array<pollfd, 3> wait = {
        {{stop_read_.Get(), POLLIN, 0}, {udp_.Get(), POLLIN, 0}, {tcp_.Get(), POLLIN, 0}}};
    if (poll(wait.data(), wait.size(), -1) < 0) continue;
    if (wait[0].revents != 0) return;
    if (wait[1].revents != 0) ServeDatagram();
    if (wait[2].revents != 0) ServeConnection();
  }
}

void DnsServer::ServeDatagram() {
  std::array<char, 4'096> buffer{};
  SocketAddress from;
  const ssize_t got =
      recvfrom(udp_.Get(), buffer.data(), buffer.size(), MSG_DONTWAIT, from.Get(), &from.size);
  if (got <= 0) return;
  const std::string query(buffer.data(), static_cast<size_t>(got));
  const auto send_back = [&](const std::string& bytes) {
    if (!bytes.empty()) sendto(udp_.Get(), bytes.data(), bytes.size(), 0, from.Get(), from.size);
  };
  std::function<std::vector<std::string>(uint16_t, const std::string&, uint16_t)> lies;
  {
    const std::lock_guard lock(mutex_);
    lies = lies_;
  }
  if (lies) {
    size_t at = 12;
    const std::string name = ReadName(query, &at);
    for (const std::string& lie :
         lies(static_cast<uint16_t>(At(query, 0)), name, static_cast<uint16_t>(At(query, at))))
      send_back(lie);
  }
  send_back(Answer(query, true));
}

void DnsServer::ServeConnection() {
  const Fd client(accept4(tcp_.Get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!client.Valid()) return;
  const std::string query = ReadMessage(client, kWholeMessageMillis);
  if (query.empty()) return;
  if (const std::string answer = Answer(query, false); !answer.empty()) SendMessage(client, answer);
}

std::string DnsServer::Answer(const std::string& query, bool datagram) {
  size_t at = 12;
  const std::string name = ReadName(query, &at);
  const auto type = static_cast<uint16_t>(At(query, at));
  const std::lock_guard lock(mutex_);
  asked_.push_back(name);
  asked_by_tcp_ += datagram ? 0 : 1;
  bytes_ += query;
  if (silent_) return {};
  const bool known = records_.contains(name);
  std::vector<std::string> records = RecordsFor(name, type);
  const bool cut = datagram && records.size() > truncate_above_;
  if (cut) records.resize(truncate_above_);
  const unsigned flags = 0x8180U | (known ? 0U : 3U) | (cut ? 0x200U : 0U);
  return WireAnswer(At(query, 0), name, type, records, flags);
}

std::vector<std::string> DnsServer::RecordsFor(const std::string& name, uint16_t type) const {
  std::vector<std::string> found;
  std::string owner = name;
  for (auto at = records_.find(owner); at != records_.end(); at = records_.find(owner)) {
    if (!at->second.alias.empty()) {
      found.push_back(WireAlias(owner, at->second.alias, at->second.ttl));
      owner = at->second.alias;
      continue;
    }
    for (const std::string& address : at->second.addresses) {
      const bool v6 = address.find(':') != std::string::npos;
      if (v6 == (type == kTypeAaaa) && (type == kTypeA || type == kTypeAaaa))
        found.push_back(WireAddress(owner, address, at->second.ttl));
    }
    break;
  }
  return found;
}

DnsReply AskDns(const NetNamespace& from, const DnsAsk& ask) {
  SocketAddress server = Make(ask.server, 53);
  const auto millis = static_cast<int>(ask.patience.count());
  const std::string query = WireQuery(0x5157, ask.name, ask.type);
  const Fd fd = Socket(from, server.storage.ss_family, ask.tcp ? SOCK_STREAM : SOCK_DGRAM);
  const timeval limit{.tv_sec = ask.patience.count() / 1'000,
                      .tv_usec = ask.patience.count() % 1'000 * 1'000};
  setsockopt(fd.Get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));  // for connect too
  if (connect(fd.Get(), server.Get(), server.size) != 0) return {};
  if (ask.tcp) {
    SendMessage(fd, query);
    return Read(ReadMessage(fd, millis));
  }
  send(fd.Get(), query.data(), query.size(), MSG_NOSIGNAL);
  if (!Readable(fd, millis)) return {};
  std::string bytes(65'536, '\0');
  const ssize_t got = recv(fd.Get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  return got <= 0 ? DnsReply() : Read(bytes.substr(0, static_cast<size_t>(got)));
}

}  // namespace cordon::testing
