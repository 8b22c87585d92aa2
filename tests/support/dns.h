#pragma once

// A DNS server and a DNS client of the tests' own: they share no code with the agent's.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "platform/linux/system/fd.h"
#include "tests/support/dns_bytes.h"
#include "tests/support/net_namespace.h"

namespace cordon::testing {

// Answers on port 53 of one address, over UDP and TCP, what the test has told it; "no such name" for the
// rest. Thread-safe.
class DnsServer {
 public:
  DnsServer(const NetNamespace& at, const std::string& address);
  DnsServer(const DnsServer&) = delete;
  DnsServer& operator=(const DnsServer&) = delete;
  ~DnsServer();

  // Verbs of a test.
  void Says(const std::string& name, const std::vector<std::string>& addresses, uint32_t ttl = 300);
  void Aliases(const std::string& name, const std::string& target, uint32_t ttl = 300);
  // Says nothing any more, or again.
  void FallSilent(bool silent = true);
  // Datagrams with more than this many records are cut, with the truncation mark.
  void TruncateAbove(size_t records);
  // Sends these before the honest answer, made from the query's id and question.
  void SendFirst(
      std::function<std::vector<std::string>(uint16_t id, const std::string& name, uint16_t type)> lies);

  // What was asked: names in lower case; all bytes that came.
  std::vector<std::string> Asked() const;
  size_t AskedByTcp() const;
  std::string AllBytes() const;
  bool WasAsked(const std::string& name) const;

 private:
  struct Records {
    std::vector<std::string> addresses;
    std::string alias;
    uint32_t ttl = 300;
  };
  void Serve();
  void ServeDatagram();
  void ServeConnection();
  std::string Answer(const std::string& query, bool datagram);
  std::vector<std::string> RecordsFor(const std::string& name, uint16_t type) const;

  platform::Fd udp_;
  platform::Fd tcp_;
  platform::Fd stop_read_;
  platform::Fd stop_write_;
  mutable std::mutex mutex_;
  std::map<std::string, Records> records_;
  bool silent_ = false;
  size_t truncate_above_ = 1'000;
  std::function<std::vector<std::string>(uint16_t, const std::string&, uint16_t)> lies_;
  std::vector<std::string> asked_;
  size_t asked_by_tcp_ = 0;
  std::string bytes_;
  std::thread thread_;
};

struct DnsReply {
  bool came = false;
  int code = -1;
  bool truncated = false;
  std::set<std::string> addresses;
  std::string bytes;
};

struct DnsAsk {
  std::string server;
  std::string name;
  uint16_t type = kTypeA;
  bool tcp = false;
  std::chrono::milliseconds patience = std::chrono::seconds(15);
};

// A program in `from` that sends its question to `ask.server` itself, as a tool with a resolver of its own
// does.
DnsReply AskDns(const NetNamespace& from, const DnsAsk& ask);

}  // namespace cordon::testing
