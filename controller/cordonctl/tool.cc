#include "controller/cordonctl/tool.h"

#include <boost/json/serialize.hpp>
#include <ostream>

#include "common/base/status.h"
#include "common/base/text.h"
#include "controller/cordonctl/identity.h"

namespace cordon::ctl {

absl::StatusOr<Client*> Tool::Controller() {
  if (client_) return client_.get();
  CORDON_ASSIGN_OR_RETURN(const std::filesystem::path path,
                          FindIdentity(options_.identity, environment_.getenv));
  CORDON_ASSIGN_OR_RETURN(LoadedIdentity loaded, LoadIdentity(path, Now()));
  for (const std::string& warning : loaded.warnings) Say(warning);
  if (!options_.controller.empty()) {
    loaded.identity.clear_controllers();
    loaded.identity.add_controllers(options_.controller);
  }
  CORDON_ASSIGN_OR_RETURN(client_, Client::Connect(loaded.identity));
  return client_.get();
}

void Tool::Print(const boost::json::object& object) const {
  environment_.out << boost::json::serialize(object) << '\n' << std::flush;
}

void Tool::Print(std::string_view text) const {
  environment_.out << text << std::flush;
}

void Tool::Say(std::string_view sentence) const {
  environment_.err << "cordonctl: " << Printable(sentence) << '\n' << std::flush;
}

}  // namespace cordon::ctl
