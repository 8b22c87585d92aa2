#pragma once

#include <chrono>
#include <set>
#include <string>
#include <vector>

#include "platform/linux/system/fd.h"
#include "tests/integration/isolation/lab.h"

namespace cordon::testing {

// Lateral ports too, which MutatedHost::Profile opens: for a program that this is not, and to addresses of
// names, of which the peer has none.
inline constexpr uint16_t kPortOfAProgram = 138;
inline constexpr uint16_t kPortOfAName = 139;

// Packets that every level but observe forbids ("dns out": from essential on), sent on every way of the Lab
// at once and judged where they would arrive: a sniffer on all of the peer's interfaces, and sockets in the
// host. A packet carries a word that nothing else carries, so whatever becomes of its addresses it is known
// again.
class LeakJudge {
 public:
  explicit LeakJudge(const Lab& lab);

  // The ways on which a packet arrived: "udp4 out", "udp4 in", …. Waits `patience` for stragglers.
  std::set<std::string> Send(std::chrono::milliseconds patience);

  // Packets out of the host by UDP, IPv4, without waiting: for a pump. And how many of all so far arrived at
  // the peer since the last call.
  void Pump();
  uint64_t Pumped() const { return pumped_; }
  uint64_t ArrivedAtPeer();

  // The names of all ways, those of Send at level observe.
  static std::set<std::string> AllWays();

 private:
  struct Way {
    std::string name;
    platform::Fd socket;
    std::string address;
    uint16_t port;
  };
  void AddWay(const std::string& name, const NetNamespace& from, const std::string& address, uint16_t port);
  void SendOn(const Way& way, const std::string& word) const;
  void SendFrame(bool v6, const std::string& word) const;
  void Collect(const std::string& round, std::set<std::string>* arrived);

  const Lab& lab_;
  std::vector<Way> ways_;
  platform::Fd frames_;                  // in the host, for frames past its stack
  platform::Fd sniffer_;                 // in the peer
  std::vector<platform::Fd> receivers_;  // in the host
  uint64_t round_ = 0;
  uint64_t pumped_ = 0;
};

}  // namespace cordon::testing
