#pragma once

// The commands of cordonctl, one file each. Add…() puts a command into the command line; when it was chosen,
// it sets `*chosen` to what is to be done.

#include "controller/cordonctl/tool.h"

namespace CLI {
class App;
}

namespace cordon::ctl {

void AddHosts(CLI::App* app, Command* chosen);
void AddEnrollment(CLI::App* app, Command* chosen);
void AddIsolate(CLI::App* app, Command* chosen);
void AddRelease(CLI::App* app, Command* chosen);
void AddPolicy(CLI::App* app, Command* chosen);
void AddScan(CLI::App* app, Command* chosen);
void AddOrders(CLI::App* app, Command* chosen);
void AddOperator(CLI::App* app, Command* chosen);
void AddTrust(CLI::App* app, Command* chosen);
void AddEvents(CLI::App* app, Command* chosen);
void AddHealth(CLI::App* app, Command* chosen);
void AddAudit(CLI::App* app, Command* chosen);
void AddUnlockCode(CLI::App* app, Command* chosen);

// audit list (audit_list.cc).
void AddAuditList(CLI::App* audit, Command* chosen);

// hosts keysheet: the hosts' public unlock keys, for unlock codes without a controller (unlock_code.cc).
absl::StatusOr<ExitCode> PrintKeySheet(Tool& tool);

}  // namespace cordon::ctl
