// Netlink messages as they come: changes of the packet filter and of links, sockets, filters of traffic
// control (AUT-6).

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "platform/linux/bypasses/traffic_control.h"
#include "platform/linux/connections/diag.h"
#include "platform/linux/links/link_news.h"
#include "platform/linux/packet_filter/notification.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // As the agent's own buffers: aligned for the kernel's structures. A sanitizer sees what is read behind the
  // end.
  const std::unique_ptr<char[]> bytes(new char[size]);  // NOLINT(modernize-avoid-c-arrays): no byte longer
  if (size > 0) std::memcpy(bytes.get(), data, size);

  cordon::platform::NotificationReader reader;
  size_t notices = 0;
  reader.Read(bytes.get(), size, [&notices](const cordon::platform::GenerationNotice&) { ++notices; });
  if (notices > size / 20) std::abort();  // a netlink and an nfnetlink header each
  static_cast<void>(cordon::platform::ParseLinkNews(bytes.get(), size));
  const auto filter = cordon::platform::ParseTrafficFilter(bytes.get(), size);
  if (filter.has_value() && filter->kind.empty()) std::abort();
  const auto socket =
      cordon::platform::ParseDiagSocket(bytes.get(), size, cordon::platform::FlowProtocol::kTcp, 0x10);
  if (socket.has_value() && cordon::platform::ConnectionsOf({*socket}).size() > 1) std::abort();
  return 0;
}
