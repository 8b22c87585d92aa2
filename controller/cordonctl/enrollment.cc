#include "controller/cordonctl/enrollment.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/wire/enrollment_file.h"
#include "common/wire/json.h"
#include "common/wire/order.h"
#include "controller/cordonctl/commands.h"
#include "controller/cordonctl/table.h"
#include "controller/cordonctl/target.h"
#include "platform/api/files.h"

namespace cordon::ctl {
namespace {

struct CreateOptions {
  std::string site;
  std::vector<std::string> labels;
  uint32_t uses = 0;
  std::string length;
  std::string out;
};

absl::Status Differs(std::string_view what) {
  return absl::PermissionDeniedError(
      StrCat("the controller made an enrolment with another ", what,
             " than this identity is pinned to; nothing was written. Do not use this "
             "controller before you know why"));
}

bool SameLabels(const v1::EnrollmentFile& file, const v1::CreateEnrollmentRequest& request) {
  return std::ranges::equal(file.labels(), request.labels(), [](const v1::Label& a, const v1::Label& b) {
    return a.key() == b.key() && a.value() == b.value();
  });
}

absl::StatusOr<v1::CreateEnrollmentRequest> BuildRequest(const CreateOptions& options) {
  v1::CreateEnrollmentRequest request;
  if (!IsName(options.site)) {
    return absl::InvalidArgumentError("--site: must be 1 to 64 characters of [a-z0-9-]");
  }
  CORDON_ASSIGN_OR_RETURN(const std::vector<v1::Label> labels, ParseLabels(options.labels));
  for (const v1::Label& label : labels) *request.add_labels() = label;
  CORDON_RETURN_IF_ERROR(CheckLabels(request.labels()));
  const absl::StatusOr<int64_t> length = ParseDuration(options.length);
  if (!length.ok()) return Annotate(length.status(), "--for");
  request.set_site(options.site);
  request.set_uses(options.uses);
  request.set_length_nanos(*length);
  return request;
}

void ShowCreated(const Tool& tool, const v1::EnrollmentFile& file, const CreateOptions& options) {
  if (tool.Json() && !options.out.empty()) {
    tool.Print({{"enrollment_id", file.enrollment_id()},
                {"site", file.site()},
                {"uses", options.uses},
                {"expiry_unix_nanos", file.expiry_unix_nanos()},
                {"file", options.out}});
    return;
  }
  tool.Say(StrCat("enrolment ", file.enrollment_id(), " for site ", file.site(), ", ",
                  Count(options.uses, "host"), ", until ", FormatTime(file.expiry_unix_nanos()),
                  options.out.empty() ? "" : StrCat(": ", options.out),
                  ". Whoever has the file can join hosts to this site: keep it private"));
}

absl::StatusOr<ExitCode> Create(Tool& tool, const CreateOptions& options) {
  CORDON_ASSIGN_OR_RETURN(const v1::CreateEnrollmentRequest request, BuildRequest(options));
  if (options.out.empty() && tool.World().output_is_terminal) {
    return absl::InvalidArgumentError(
        "the enrolment file holds secrets: give --out FILE, or redirect the output");
  }
  CORDON_ASSIGN_OR_RETURN(const Client* const client, tool.Controller());
  CORDON_RETURN_IF_ERROR(tool.Trust().status());  // the file pins the bundle in force
  CORDON_ASSIGN_OR_RETURN(const v1::CreateEnrollmentResponse response,
                          client->Call(&Client::Stub::CreateEnrollment, request));
  CORDON_ASSIGN_OR_RETURN(const v1::EnrollmentFile file,
                          CompleteEnrollment(response.file(), client->Identity(), request));
  const std::string text = WriteEnrollmentFile(file);
  if (const absl::Status readable = ReadEnrollmentFile(text).status(); !readable.ok()) {
    return absl::InternalError(
        StrCat("the controller made an enrolment that no host would take: ", Message(readable)));
  }
  if (options.out.empty()) {
    tool.Print(text);
  } else {
    CORDON_RETURN_IF_ERROR(platform::WriteFileDurably(options.out, text, platform::FileAccess::kOwnerOnly));
  }
  ShowCreated(tool, file, options);
  return ExitCode::kDone;
}

std::string StateOf(const v1::Enrollment& enrollment, int64_t now) {
  if (enrollment.revoked()) return "revoked";
  if (enrollment.expiry_unix_nanos() <= now) return "expired";
  return enrollment.used() >= enrollment.uses() ? "used up" : "open";
}

absl::StatusOr<ExitCode> List(Tool& tool) {
  CORDON_ASSIGN_OR_RETURN(const Client* const client, tool.Controller());
  CORDON_ASSIGN_OR_RETURN(const v1::ListEnrollmentsResponse response,
                          client->Call(&Client::Stub::ListEnrollments, v1::ListEnrollmentsRequest()));
  Table table({"ID", "SITE", "LABELS", "USED", "STATE", "EXPIRES", "CREATED"});
  for (const v1::Enrollment& each : response.enrollments()) {
    if (tool.Json()) {
      tool.Print(ToJson(each));
      continue;
    }
    std::string labels;
    for (const v1::Label& label : each.labels()) {
      StrAppend(&labels, labels.empty() ? "" : " ", label.key(), "=", label.value());
    }
    table.Add({each.enrollment_id(), each.site(), labels, StrCat(each.used(), " of ", each.uses()),
               StateOf(each, tool.Now()), FormatTime(each.expiry_unix_nanos()),
               Ago(each.created_unix_nanos(), tool.Now())});
  }
  if (!tool.Json()) tool.Print(table.Text());
  return ExitCode::kDone;
}

absl::StatusOr<ExitCode> Revoke(Tool& tool, const std::string& id) {
  CORDON_ASSIGN_OR_RETURN(const Client* const client, tool.Controller());
  v1::RevokeEnrollmentRequest request;
  request.set_enrollment_id(id);
  CORDON_RETURN_IF_ERROR(client->Call(&Client::Stub::RevokeEnrollment, request).status());
  if (tool.Json()) {
    tool.Print({{"enrollment_id", id}, {"revoked", true}});
  } else {
    tool.Print(
        StrCat("revoked enrolment ", Printable(id), ": no more hosts join with it; those that did stay\n"));
  }
  return ExitCode::kDone;
}

}  // namespace

absl::StatusOr<v1::EnrollmentFile> CompleteEnrollment(v1::EnrollmentFile file,
                                                      const v1::OperatorIdentity& identity,
                                                      const v1::CreateEnrollmentRequest& request) {
  if (file.fleet_id() != identity.fleet_id()) return Differs("fleet");
  // While the CA changes the identity names two.
  if (file.ca_pem().empty() || identity.ca_pem().find(file.ca_pem()) == std::string::npos)
    return Differs("CA");
  if (!file.trust_bundle_sha256().empty() && file.trust_bundle_sha256() != identity.trust_bundle_sha256()) {
    return Differs("trust bundle");
  }
  if (file.site() != request.site() || !SameLabels(file, request)) {
    return absl::PermissionDeniedError(
        "the controller made an enrolment for another site or other labels than asked; nothing was written");
  }
  file.set_trust_bundle_sha256(identity.trust_bundle_sha256());
  return file;
}

void AddEnrollment(CLI::App* app, Command* chosen) {
  CLI::App* const enrollment = app->add_subcommand("enrollment", "Files with which hosts join");
  enrollment->require_subcommand(1);
  CLI::App* const create = enrollment->add_subcommand("create", "Make a file for the hosts of a site");
  const auto options = std::make_shared<CreateOptions>();
  create->add_option("--site", options->site, "Site that the hosts belong to")->required();
  create->add_option("--label", options->labels, "Label of the hosts (key=value)")->allow_extra_args(false);
  create->add_option("--uses", options->uses, "How many hosts may join with it")
      ->required()
      ->check(CLI::Range(1U, 100'000U));
  create->add_option("--for", options->length, "How long it can be used, like 7d")->required();
  create->add_option("--out", options->out,
                     "File to write, readable by its owner only (else standard output)");
  create->callback([=] { *chosen = [=](Tool& tool) { return Create(tool, *options); }; });

  enrollment->add_subcommand("list", "All of them")->callback([=] { *chosen = List; });

  CLI::App* const revoke = enrollment->add_subcommand("revoke", "Let no more hosts join with it");
  const auto id = std::make_shared<std::string>();
  revoke->add_option("ID", *id, "Id of the enrolment")->required();
  revoke->callback([=] { *chosen = [=](Tool& tool) { return Revoke(tool, *id); }; });
}

}  // namespace cordon::ctl
