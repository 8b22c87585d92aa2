#include "platform/windows/registry/autostart.h"

#include <algorithm>
#include <string_view>

namespace cordon::platform {
namespace {

constexpr std::u16string_view kMachineSoftware[] = {u"SOFTWARE\\", u"SOFTWARE\\WOW6432Node\\"};
constexpr std::u16string_view kUserSoftware[] = {u"Software\\"};
constexpr int kDeepestTasks = 16;  // folders of tasks in one another

constexpr std::u16string_view kRun[] = {
    u"Microsoft\\Windows\\CurrentVersion\\Run",
    u"Microsoft\\Windows\\CurrentVersion\\RunOnce",
    u"Microsoft\\Windows\\CurrentVersion\\Policies\\Explorer\\Run",
};

std::u16string Join(std::u16string_view a, std::u16string_view b) {
  return std::u16string(a).append(b);
}

// Both for the machine and for users.
void AddSoftware(bool of_users, std::u16string_view software, std::vector<RegistryWatch>* watches) {
  for (const std::u16string_view key : kRun) {
    watches->push_back({.of_users = of_users,
                        .key = Join(software, key),
                        .depth = 0,
                        .tell_keys = false,
                        .values = {},
                        .only_below = {}});
  }
  watches->push_back({.of_users = of_users,
                      .key = Join(software, u"Microsoft\\Windows NT\\CurrentVersion\\Winlogon"),
                      .depth = 0,
                      .tell_keys = false,
                      .values = {u"Shell", u"Userinit"},
                      .only_below = {}});
}

char16_t Lower(char16_t c) {
  return c >= u'A' && c <= u'Z' ? static_cast<char16_t>(c + (u'a' - u'A')) : c;
}

}  // namespace

std::vector<RegistryWatch> AutostartWatches() {
  std::vector<RegistryWatch> watches;
  for (const std::u16string_view software : kMachineSoftware) {
    AddSoftware(false, software, &watches);
    constexpr std::u16string_view kInPlaceOf =
        u"Microsoft\\Windows NT\\CurrentVersion\\Image File Execution Options";
    watches.push_back({.of_users = false,
                       .key = Join(software, kInPlaceOf),
                       .depth = 1,
                       .tell_keys = false,
                       .values = {u"Debugger"},
                       .only_below = {}});
  }
  for (const std::u16string_view software : kUserSoftware) AddSoftware(true, software, &watches);
  watches.push_back(
      {.of_users = false,
       .key = u"SYSTEM\\CurrentControlSet\\Services",
       .depth = 1,
       .tell_keys = true,
       .values = {u"ImagePath", u"ServiceDll", u"Start", u"Type", u"ObjectName", u"FailureCommand"},
       .only_below = u"Parameters"});
  watches.push_back({.of_users = false,
                     .key = u"SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Schedule\\TaskCache\\Tree",
                     .depth = kDeepestTasks,
                     .tell_keys = true,
                     .values = {u"Id", u"SD"},
                     .only_below = {}});
  return watches;
}

bool WantsValue(const RegistryWatch& watch, std::u16string_view name) {
  const auto same = [&](const std::u16string& wanted) {
    return std::ranges::equal(wanted, name, {}, Lower, Lower);
  };
  return watch.values.empty() || std::ranges::any_of(watch.values, same);
}

}  // namespace cordon::platform
