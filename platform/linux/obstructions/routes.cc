#include "platform/linux/obstructions/routes.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "common/base/status.h"

namespace cordon::platform {
namespace {

struct RuleFacts {
  uint32_t priority = 0;
  uint32_t mark = 0;
};

int TakeRule(const nlattr* attribute, void* data) {
  auto* const facts = static_cast<RuleFacts*>(data);
  const uint16_t type = mnl_attr_get_type(attribute);
  if (mnl_attr_get_payload_len(attribute) < sizeof(uint32_t)) return MNL_CB_OK;
  if (type == FRA_PRIORITY) facts->priority = mnl_attr_get_u32(attribute);
  if (type == FRA_FWMARK) facts->mark = mnl_attr_get_u32(attribute);
  return MNL_CB_OK;
}

int TakeInterface(const nlattr* attribute, void* data) {
  if (mnl_attr_get_type(attribute) == RTA_OIF && mnl_attr_validate(attribute, MNL_TYPE_U32) >= 0) {
    *static_cast<uint32_t*>(data) = mnl_attr_get_u32(attribute);
  }
  return MNL_CB_OK;
}

const char* ActionWord(uint8_t action) {
  switch (action) {
    case FR_ACT_BLACKHOLE:
      return "blackhole";
    case FR_ACT_UNREACHABLE:
      return "unreachable";
    case FR_ACT_PROHIBIT:
      return "prohibit";
    default:
      return nullptr;
  }
}

// absl keeps the errno's meaning as a code and text; the kernel's answers that matter have codes of their
// own.
int ErrorOf(const absl::Status& status) {
  for (const int error : {EINVAL, EHOSTUNREACH, EACCES, ENETUNREACH}) {
    if (Message(status).find(std::strerror(error)) != std::string_view::npos) return error;
  }
  return EIO;
}

}  // namespace

std::string RouteObstruction(int error, const Endpoint& controller) {
  const std::string where = StrCat("the route to the controller ", FormatEndpoint(controller));
  switch (error) {
    case EINVAL:
      return StrCat(where, " is a blackhole");
    case EHOSTUNREACH:
      return StrCat(where, " says unreachable");
    case EACCES:
      return StrCat(where, " says prohibited");
    case ENETUNREACH:
      return StrCat("there is no route to the controller ", FormatEndpoint(controller));
    default:
      return StrCat(where, " cannot be told");
  }
}

RouteAnswer AskRoute(NetlinkSocket& route, const Endpoint& controller, uint32_t mark) {
  std::array<char, 256> buffer{};
  nlmsghdr* const request = mnl_nlmsg_put_header(buffer.data());
  request->nlmsg_type = RTM_GETROUTE;
  request->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  auto* const head = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(rtmsg)));
  head->rtm_family = controller.address.is_v4() ? AF_INET : AF_INET6;
  if (controller.address.is_v4()) {
    const auto bytes = controller.address.to_v4().to_bytes();
    head->rtm_dst_len = 32;
    mnl_attr_put(request, RTA_DST, bytes.size(), bytes.data());
  } else {
    const auto bytes = controller.address.to_v6().to_bytes();
    head->rtm_dst_len = 128;
    mnl_attr_put(request, RTA_DST, bytes.size(), bytes.data());
  }
  mnl_attr_put_u32(request, RTA_MARK, mark);
  RouteAnswer answer;
  uint8_t type = RTN_UNICAST;
  const absl::Status asked = route.Run(request, "ask for a route", [&](const nlmsghdr* message) {
    if (mnl_nlmsg_get_payload_len(message) < sizeof(rtmsg)) return;
    type = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(message))->rtm_type;
    mnl_attr_parse(message, sizeof(rtmsg), TakeInterface, &answer.interface_index);
  });
  if (!asked.ok()) answer.obstruction = RouteObstruction(ErrorOf(asked), controller);
  if (type == RTN_BLACKHOLE) answer.obstruction = RouteObstruction(EINVAL, controller);
  if (type == RTN_UNREACHABLE) answer.obstruction = RouteObstruction(EHOSTUNREACH, controller);
  if (type == RTN_PROHIBIT) answer.obstruction = RouteObstruction(EACCES, controller);
  return answer;
}

std::vector<std::string> RefusingRules(NetlinkSocket& route) {
  std::vector<std::string> found;
  for (const uint8_t family : {uint8_t{AF_INET}, uint8_t{AF_INET6}}) {
    std::array<char, 256> buffer{};
    nlmsghdr* const request = mnl_nlmsg_put_header(buffer.data());
    request->nlmsg_type = RTM_GETRULE;
    request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    auto* const head = static_cast<fib_rule_hdr*>(mnl_nlmsg_put_extra_header(request, sizeof(fib_rule_hdr)));
    head->family = family;
    const absl::Status listed = route.Run(request, "list routing rules", [&](const nlmsghdr* message) {
      if (mnl_nlmsg_get_payload_len(message) < sizeof(fib_rule_hdr)) return;
      const auto* const rule = static_cast<const fib_rule_hdr*>(mnl_nlmsg_get_payload(message));
      const char* const action = ActionWord(rule->action);
      if (action == nullptr) return;
      RuleFacts facts;
      mnl_attr_parse(message, sizeof(fib_rule_hdr), TakeRule, &facts);
      found.push_back(StrCat("a rule of policy routing refuses packets (ip", family == AF_INET ? "" : " -6",
                             " rule, priority ", facts.priority, ": ", action,
                             facts.mark != 0 ? StrCat(", mark ", facts.mark) : std::string(), ")"));
    });
    if (!listed.ok()) continue;  // no IPv6, say
  }
  return found;
}

}  // namespace cordon::platform
